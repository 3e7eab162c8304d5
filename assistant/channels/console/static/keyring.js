// The browser's side of security keys and passkeys: make one, or let one sign.

export function fromBase64(text) {
  const plain = text.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(plain), (each) => each.charCodeAt(0));
}

function toBase64url(buffer) {
  const text = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

// What a person reads when the browser or the key says no; it never tells scripts why.
function saidNo(error) {
  if (error.name === "InvalidStateError") return new Error("This key has been added already. Use another one.");
  if (error.name === "NotAllowedError" || error.name === "AbortError")
    return new Error("Cancelled, or it took too long. Nothing was signed.");
  if (error.name === "SecurityError") return new Error("The browser does not let keys sign on this address.");
  return new Error(`The key could not be used: ${error.message}`);
}

export function possible() {
  return Boolean(window.isSecureContext && window.PublicKeyCredential && navigator.credentials);
}

// Sends JSON to our own server; throws what it answers, in its own words.
export async function send(path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    throw new Error("KITTY cannot be reached. Try again in a moment.");
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.message ?? `KITTY answered ${answer.status}.`);
  return told;
}

export async function addKey(label) {
  const options = await send("/api/webauthn/registration", {});
  const named = (each) => ({ ...each, id: fromBase64(each.id) });
  let made;
  try {
    made = await navigator.credentials.create({
      publicKey: {
        ...options,
        challenge: fromBase64(options.challenge),
        user: { ...options.user, id: fromBase64(options.user.id) },
        excludeCredentials: options.excludeCredentials.map(named),
      },
    });
  } catch (error) {
    throw saidNo(error);
  }
  return send("/api/webauthn/keys", {
    label,
    authenticator_data: toBase64url(made.response.getAuthenticatorData()),
    client_data_json: toBase64url(made.response.clientDataJSON),
    transports: made.response.getTransports?.() ?? [],
  });
}

// Lets one of these keys sign a digest, and hands the signature in.
export async function signEvent(event, digest, sign) {
  let made;
  try {
    made = await navigator.credentials.get({
      publicKey: {
        challenge: digest,
        rpId: sign.rp_id,
        userVerification: "required",
        timeout: 120000,
        allowCredentials: sign.keys.map((key) => ({
          type: "public-key",
          id: fromBase64(key.credential_id),
          transports: key.transports,
        })),
      },
    });
  } catch (error) {
    throw saidNo(error);
  }
  const name = toBase64url(made.rawId);
  const key = sign.keys.find((each) => each.credential_id === name);
  if (!key) throw new Error("Another key answered than the ones you have here. Nothing was sent.");
  return send(`/api/safety/events/${event}/approve`, {
    key_id: key.key_id,
    webauthn: {
      credential_id: name,
      authenticator_data: toBase64url(made.response.authenticatorData),
      client_data_json: toBase64url(made.response.clientDataJSON),
      signature: toBase64url(made.response.signature),
    },
  });
}
