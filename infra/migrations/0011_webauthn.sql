-- Keys that browsers reach: security keys and passkeys.  They are keys like any other, with a
-- host name they sign for and a counter; their registration is kept beside them.

create domain key_kind as text
    constraint key_kind_values check (value in ('file', 'webauthn', 'pkcs11'));

alter table public_keys
    add column kind key_kind not null default 'file',
    add column rp_id text
        constraint public_keys_rp_id check (length(rp_id) between 1 and 253),
    add column synced boolean,
    add column sign_count bigint
        constraint public_keys_sign_count check (sign_count between 0 and 4294967295),
    add constraint public_keys_webauthn check (
        case when kind = 'webauthn'
            then rp_id is not null and synced is not null and sign_count is not null
            else rp_id is null and synced is null and sign_count is null
        end);
comment on column public_keys.rp_id is 'The host name that a browser''s key signs for.';
comment on column public_keys.synced is 'Whether the key can be copied to other devices.';
comment on column public_keys.sign_count is 'What the key''s own counter said last; 0: it has none.';

create trigger public_keys_webauthn_identity before update on public_keys
    for each row when (
        (old.kind, old.rp_id, old.synced) is distinct from (new.kind, new.rp_id, new.synced)
    ) execute function refuse(
        'public_keys_webauthn_identity', 'a key keeps its kind and the host that it signs for');
create trigger public_keys_counter before update on public_keys
    for each row when (new.sign_count < old.sign_count)
    execute function refuse('public_keys_counter', 'a key''s counter never goes back');

-- What a browser registered.  It becomes a key when it is confirmed: by an admin, or by itself
-- if it is the first of a person who has just come in by a one-time link.
create table webauthn_credentials (
    key_id text primary key
        constraint webauthn_credentials_key_id check (length(key_id) between 1 and 200),
    user_id uuid not null references users,
    credential_id bytea not null unique
        constraint webauthn_credentials_id check (octet_length(credential_id) between 1 and 1023),
    algorithm key_algorithm not null,
    spki bytea not null unique
        constraint webauthn_credentials_spki check (octet_length(spki) between 1 and 4096),
    rp_id text not null
        constraint webauthn_credentials_rp_id check (length(rp_id) between 1 and 253),
    label name_text not null,
    aaguid uuid not null,
    sign_count bigint not null
        constraint webauthn_credentials_sign_count check (sign_count between 0 and 4294967295),
    synced boolean not null,
    backed_up boolean not null,
    transports text[] not null default '{}'
        constraint webauthn_credentials_transports check (cardinality(transports) <= 8),
    created_at timestamptz not null,
    confirmed_at timestamptz,
    confirmed_by uuid references users,
    refused_at timestamptz,
    constraint webauthn_credentials_decided check (confirmed_at is null or refused_at is null),
    constraint webauthn_credentials_by check (confirmed_by is null or confirmed_at is not null)
);
create index webauthn_credentials_user on webauthn_credentials (user_id);
comment on column webauthn_credentials.confirmed_by is
    'The admin who looked at the person and the key; nobody for the first key of a one-time link.';
create trigger webauthn_credentials_identity before update on webauthn_credentials
    for each row when (
        (old.key_id, old.user_id, old.credential_id, old.algorithm, old.spki, old.rp_id, old.aaguid,
         old.sign_count, old.synced, old.created_at)
        is distinct from
        (new.key_id, new.user_id, new.credential_id, new.algorithm, new.spki, new.rp_id, new.aaguid,
         new.sign_count, new.synced, new.created_at)
        or (old.confirmed_at is not null
            and (old.confirmed_at, old.confirmed_by)
                is distinct from (new.confirmed_at, new.confirmed_by))
        or (old.refused_at is not null and old.refused_at is distinct from new.refused_at)
    ) execute function refuse(
        'webauthn_credentials_identity',
        'a credential keeps its owner and its bytes, and is confirmed or refused once');

create function public_keys_registered() returns trigger language plpgsql as $$
begin
    if not exists (
        select from webauthn_credentials as c
        where c.key_id = new.id and c.user_id = new.user_id and c.spki = new.spki
          and c.algorithm = new.algorithm and c.rp_id = new.rp_id and c.synced = new.synced
          and c.confirmed_at is not null
    ) then
        raise exception using
            errcode = 'check_violation',
            table = tg_table_name,
            constraint = 'public_keys_registered',
            message = 'a browser''s key needs a confirmed registration';
    end if;
    return new;
end $$;
create trigger public_keys_registered before insert on public_keys
    for each row when (new.kind = 'webauthn')
    execute function public_keys_registered();

-- Moves a key's counter with its signature, in one transaction: two signatures with one count
-- cannot both be stored.  Runs before safety_signatures_guard, so that the key's row is locked
-- once and for good.  Layout of the value: safety/webauthn.py, docs/keys.md.
create function safety_signatures_counter() returns trigger language plpgsql as $$
declare
    key public_keys;
    fresh bigint;
begin
    select * into key from public_keys where id = new.key_id for no key update;
    if key.kind is distinct from 'webauthn' then
        return new;
    end if;
    if octet_length(new.signature) < 43 or substring(new.signature for 4) <> 'kwa1'::bytea then
        raise exception using
            errcode = 'check_violation',
            table = tg_table_name,
            constraint = 'safety_signatures_counter',
            message = 'signature refused: a browser''s key signs assertions only';
    end if;
    fresh := (get_byte(new.signature, 39)::bigint << 24) + (get_byte(new.signature, 40) << 16)
        + (get_byte(new.signature, 41) << 8) + get_byte(new.signature, 42);
    if not (fresh > key.sign_count or (fresh = 0 and key.sign_count = 0)) then
        raise exception using
            errcode = 'check_violation',
            table = tg_table_name,
            constraint = 'safety_signatures_counter',
            message = format('signature refused: the key''s counter went from %s to %s',
                             key.sign_count, fresh);
    end if;
    update public_keys set sign_count = fresh where id = key.id;
    return new;
end $$;
create trigger safety_signatures_a_counter before insert on safety_signatures
    for each row execute function safety_signatures_counter();

create table webauthn_challenges (
    challenge_sha256 sha256_hex primary key,
    user_id uuid not null references users,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    constraint webauthn_challenges_lifetime check (expires_at > created_at)
);
create index webauthn_challenges_expiry on webauthn_challenges (expires_at);
create trigger webauthn_challenges_once before update on webauthn_challenges
    for each row when (old.used_at is not null and old is distinct from new)
    execute function refuse('webauthn_challenges_once', 'a challenge is answered once');

alter table web_sessions add column by_link boolean not null default false;
comment on column web_sessions.by_link is 'Opened by a one-time link, not by a token.';
