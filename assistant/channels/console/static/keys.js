// Keys: one's own, and everybody's for admins.
import { addKey, possible, send } from "/console/keyring.js";
import { Icon, clockTime, copy, setClock } from "/console/lib.js";

const KINDS = { file: "Key file", webauthn: "Security key or passkey", pkcs11: "Smart card" };
const STATES = {
  valid: ["Valid", "verified", "good"],
  waits: ["Waits for an admin", "hourglass_top", "waiting"],
  revoked: ["Revoked", "block", "idle"],
  refused: ["Refused", "block", "idle"],
};

const KeyCard = {
  components: { Icon },
  props: { entry: Object, admin: Boolean, mine: Boolean, busy: Boolean },
  emits: ["confirm", "revoke", "rename"],
  computed: {
    state() {
      return STATES[this.entry.state];
    },
    live() {
      return this.entry.state === "valid" || this.entry.state === "waits";
    },
    kind() {
      const kind = KINDS[this.entry.kind];
      if (this.entry.kind !== "webauthn") return kind;
      return `${kind}, ${this.entry.synced ? "can be copied to other devices" : "stays on one device"}`;
    },
  },
  methods: { clockTime },
  template: `
<article class="k-card k-key" :class="state[2]" :data-key="entry.id">
  <header><b class="k-what">{{ entry.label }}</b><span class="k-state"><Icon :name="state[1]" />{{ state[0] }}</span></header>
  <dl>
    <div v-if="!mine"><dt>Whose</dt><dd>{{ entry.display_name }}</dd></div>
    <div><dt>Kind</dt><dd>{{ kind }}</dd></div>
    <div><dt>Key id</dt><dd><code>{{ entry.id }}</code></dd></div>
    <div><dt>Added</dt><dd>{{ clockTime(entry.created_at) }}<template v-if="entry.confirmed_by">, confirmed by {{ entry.confirmed_by }}</template></dd></div>
    <div v-if="entry.last_used"><dt>Last used</dt><dd>{{ clockTime(entry.last_used) }}</dd></div>
    <div v-if="entry.revoked_at"><dt>Revoked</dt><dd>{{ clockTime(entry.revoked_at) }}</dd></div>
  </dl>
  <footer v-if="live">
    <button v-if="admin && entry.state === 'waits'" type="button" class="k-button solid-accent" :disabled="busy" @click="$emit('confirm', entry)"><Icon name="check" />Confirm</button>
    <button v-if="mine" type="button" class="k-button" :disabled="busy" @click="$emit('rename', entry)"><Icon name="edit" />Rename</button>
    <button v-if="mine || admin" type="button" class="k-button danger" :disabled="busy" @click="$emit('revoke', entry)"><Icon name="block" />{{ entry.state === "waits" && !mine ? "Refuse" : "Revoke" }}</button>
  </footer>
</article>`,
};

export default {
  components: { Icon, KeyCard },
  props: { shown: Object, origin: String, me: String, admin: Boolean, now: String },
  data() {
    setClock(this.now);
    return { all: this.shown.keys, people: this.shown.people, busy: false, label: "", problem: "", told: "", asked: null, person: "", link: "" };
  },
  computed: {
    mine() {
      return this.all.filter((key) => key.user_id === this.me);
    },
    others() {
      const waits = (key) => (key.state === "waits" ? 0 : 1);
      return this.all.filter((key) => key.user_id !== this.me).sort((a, b) => waits(a) - waits(b));
    },
    elsewhere() {
      return this.origin && this.origin !== location.origin ? `${this.origin}/keys` : null;
    },
    able() {
      return Boolean(this.origin) && !this.elsewhere && possible();
    },
  },
  methods: {
    replace(shown) {
      this.all = shown.keys;
      this.people = shown.people;
    },
    async run(work) {
      this.busy = true;
      this.problem = this.told = "";
      try {
        await work();
      } catch (error) {
        this.problem = error.message;
      } finally {
        this.busy = false;
      }
    },
    add() {
      return this.run(async () => {
        const key = await addKey(this.label.trim() || "Security key");
        this.label = "";
        this.told = key.state === "valid" ? "Added. You can sign with it now." : "Added. It counts when an admin has confirmed it.";
      });
    },
    confirm(key) {
      this.ask("Confirm", key, "Confirm only if you see this person with this key now: from then on it signs for them.", () =>
        send("/api/webauthn/keys/confirm", { key_id: key.id }));
    },
    revoke(key) {
      this.ask("Revoke", key, "From now on it signs nothing, for good.", () => send("/api/webauthn/keys/revoke", { key_id: key.id }));
    },
    rename(key) {
      this.ask("Rename", key, "", (label) => send("/api/webauthn/keys/rename", { key_id: key.id, label }), key.label);
    },
    async ask(verb, key, words, work, label = null) {
      this.problem = "";
      this.asked = { verb, key, words, work, label };
      await this.$nextTick();
      this.$refs.dialog.showModal();
    },
    go() {
      const { work, label } = this.asked;
      this.$refs.dialog.close();
      return this.run(() => work(label));
    },
    makeLink() {
      return this.run(async () => {
        this.link = (await send(`/api/users/${this.person}/enrolment-link`, {})).url;
      });
    },
    async copyLink() {
      if (await copy(this.link, this.$refs.link)) this.told = "Copied.";
    },
  },
  template: `
<div class="k-keys">
  <p v-if="problem" class="k-problem" role="alert">{{ problem }}</p>
  <p v-if="told" class="k-note" role="status">{{ told }}</p>
  <section aria-label="Your keys">
    <h2>Your keys</h2>
    <form v-if="able" class="k-add" @submit.prevent="add">
      <label for="k-label">Name of the new key</label>
      <input id="k-label" v-model="label" maxlength="200" placeholder="Blue key on my ring" autocomplete="off">
      <button type="submit" class="k-button solid-accent" :disabled="busy"><Icon name="add" />{{ busy ? "Touch your key…" : "Add a key" }}</button>
    </form>
    <p v-else-if="elsewhere" class="k-note">Keys are added at <a :href="elsewhere">{{ elsewhere }}</a>.</p>
    <p v-else class="k-note">Keys cannot be added here: it needs https, a host name (KITTY_PUBLIC_URL) and a browser that knows security keys.</p>
    <div class="k-cards"><KeyCard v-for="key in mine" :key="key.id" :entry="key" :admin="admin" mine :busy="busy" @confirm="confirm" @revoke="revoke" @rename="rename" /></div>
    <p v-if="!mine.length" class="k-calm"><Icon name="key_off" />You have no keys yet.</p>
  </section>
  <section v-if="admin" aria-label="Everybody's keys">
    <h2>Everybody’s keys</h2>
    <form class="k-add" @submit.prevent="makeLink">
      <label for="k-person">A one-time link lets a person in once, to add a first key</label>
      <select id="k-person" v-model="person" required>
        <option value="" disabled>Choose a person</option>
        <option v-for="each in people" :key="each.id" :value="each.id">{{ each.name }}</option>
      </select>
      <button type="submit" class="k-button" :disabled="busy || !person"><Icon name="link" />Make a link</button>
    </form>
    <div v-if="link" class="k-command"><code ref="link">{{ link }}</code><button type="button" class="k-button" @click="copyLink"><Icon name="content_copy" />Copy</button></div>
    <div class="k-cards"><KeyCard v-for="key in others" :key="key.id" :entry="key" :admin="admin" :mine="false" :busy="busy" @confirm="confirm" @revoke="revoke" /></div>
    <p v-if="!others.length" class="k-calm">Nobody else has a key.</p>
  </section>
  <dialog ref="dialog" class="k-dialog" :aria-label="asked ? asked.verb + ' the key' : ''">
    <form v-if="asked" method="dialog" @submit.prevent="go">
      <h3>{{ asked.verb }}: {{ asked.key.label }}</h3>
      <p v-if="asked.key.user_id !== me">Key of {{ asked.key.display_name }}.</p>
      <p v-if="asked.words">{{ asked.words }}</p>
      <template v-if="asked.label !== null"><label for="k-name">New name</label><input id="k-name" v-model="asked.label" maxlength="200" required></template>
      <div class="k-actions">
        <button type="button" class="k-button" @click="$refs.dialog.close()">Cancel</button>
        <button type="submit" class="k-button" :class="asked.verb === 'Revoke' ? 'danger solid' : 'solid-accent'">{{ asked.verb }}</button>
      </div>
    </form>
  </dialog>
</div>`,
};
