// The button that signs a request, and what is read before.
import { possible, signEvent } from "/console/keyring.js";
import { Icon } from "/console/lib.js";
import { readSigned } from "/console/signed.js";

const ENDS = { done: "It has been done.", failed: "It was let through, and failed.", unknown: "It was sent; no answer has come yet." };

export const Sign = {
  components: { Icon },
  props: { card: Object },
  data: () => ({ busy: false, reading: null, problem: "", told: "" }),
  computed: {
    sign() {
      return this.card.sign;
    },
    elsewhere() {
      return this.sign.origin && this.sign.origin !== location.origin ? this.sign.origin + location.pathname : null;
    },
    able() {
      return possible();
    },
  },
  methods: {
    async read() {
      this.problem = this.told = "";
      this.busy = true;
      try {
        const answer = await fetch(`/api/safety/events/${this.card.id}`, { cache: "no-store" });
        if (!answer.ok) throw new Error("The request cannot be read now. Try again.");
        this.reading = await readSigned(await answer.json(), this.card.id);
        await this.$nextTick();
        this.$refs.dialog.showModal();
      } catch (error) {
        this.problem = error.message;
      } finally {
        this.busy = false;
      }
    },
    async go() {
      this.busy = true;
      this.problem = "";
      try {
        const answer = await signEvent(this.card.id, this.reading.digest, this.sign);
        const missing = answer.needs.length ? ` Still missing: ${answer.needs.join("; ")}.` : "";
        this.told = `Signed.${answer.outcome === "pending" ? missing : ` ${ENDS[answer.outcome] ?? ""}`}`;
        window.kitty.notify(this.told);
        this.$refs.dialog?.close();
      } catch (error) {
        this.problem = error.message;
      } finally {
        this.busy = false;
      }
    },
  },
  template: `
<div class="k-signing">
  <template v-if="sign.why">
    <p class="k-note k-missing"><Icon name="info" /><span>{{ sign.why }}</span></p>
    <a v-if="sign.keys_page" class="k-button" href="/keys"><Icon name="key" />Your keys</a>
  </template>
  <p v-else-if="elsewhere">Your key signs for another address: <a :href="elsewhere">open this request there</a>.</p>
  <p v-else-if="!able">This browser cannot reach security keys. Use another one, or a key file.</p>
  <button v-else type="button" class="k-button solid-accent" :disabled="busy" @click="read">
    <Icon name="fingerprint" />Sign with your key
  </button>
  <p v-if="told && !sign.why" class="k-note" role="status">{{ told }}</p>
  <p v-if="problem && !reading" class="k-problem" role="alert">{{ problem }}</p>
  <dialog ref="dialog" class="k-dialog k-reading" aria-label="What you sign" @close="reading = null">
    <template v-if="reading">
      <h3>You sign exactly this</h3>
      <p class="k-what">{{ reading.title }}</p>
      <dl>
        <div v-for="[term, lines] in reading.rows" :key="term" :class="{ careful: term === 'Careful' }">
          <dt>{{ term }}</dt><dd><span v-for="line in lines" :key="line">{{ line }}</span></dd>
        </div>
      </dl>
      <details><summary>The exact bytes</summary><pre>{{ reading.text }}</pre><p class="k-note">SHA-256 <code>{{ reading.hex }}</code></p></details>
      <p v-if="problem" class="k-problem" role="alert">{{ problem }}</p>
      <div class="k-actions">
        <button type="button" class="k-button" :disabled="busy" @click="$refs.dialog.close()">Not now</button>
        <button type="button" class="k-button solid-accent" :disabled="busy" @click="go"><Icon name="fingerprint" />{{ busy ? "Touch your key…" : "Sign" }}</button>
      </div>
    </template>
  </dialog>
</div>`,
};
