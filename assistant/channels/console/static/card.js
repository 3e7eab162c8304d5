// A request that waits, or waited, for people.
import { Sign } from "/console/sign.js";
import { Icon, Ticking, capital, clockTime, copy, left, span } from "/console/lib.js";

export const Card = {
  components: { Icon, Sign },
  mixins: [Ticking],
  props: { card: Object, small: Boolean },
  emits: ["deny"],
  data: () => ({ copied: false, reason: "" }),
  computed: {
    seconds() {
      void this.tick;
      return left(this.card.expires_at);
    },
    open() {
      return this.card.open && this.seconds > 0;
    },
    share() {
      const whole = (Date.parse(this.card.expires_at) - Date.parse(this.card.created_at)) / 1000;
      return Math.min(100, (100 * this.seconds) / Math.max(1, whole));
    },
    word() {
      return this.card.open && !this.open ? "Ran out" : this.card.word;
    },
    icon() {
      return this.card.open && !this.open ? "timer_off" : this.card.icon;
    },
    tone() {
      return this.card.open && !this.open ? "idle" : this.card.tone;
    },
  },
  methods: {
    capital,
    clockTime,
    span,
    async take() {
      this.copied = await copy(this.card.command, this.$refs.command);
      setTimeout(() => (this.copied = false), 2500);
    },
    ask() {
      this.reason = "";
      this.$refs.dialog.showModal();
    },
    deny() {
      this.$refs.dialog.close();
      this.$emit("deny", { id: this.card.id, reason: this.reason.trim() });
    },
  },
  template: `
<article class="k-card" :class="[tone, { open }]" :data-event="card.id" :aria-label="'Request: ' + card.what">
  <header>
    <span class="k-pill" :class="'hazard-' + card.hazard"><Icon name="warning" />{{ capital(card.hazard) }} hazard</span>
    <span class="k-state"><Icon :name="icon" />{{ word }}</span>
  </header>
  <h3>{{ card.what }}</h3>
  <div v-if="open" class="k-countdown" :class="{ late: seconds <= 60 }">
    <Icon name="timer" /><span role="timer"><b>{{ span(seconds) }}</b> left</span>
    <span class="k-bar" aria-hidden="true"><span :style="{ width: share + '%' }"></span></span>
  </div>
  <p v-if="card.reason && !open" class="k-reason">{{ card.reason }}</p>
  <dl>
    <div v-if="card.where"><dt>Where</dt><dd>{{ card.where }}</dd></div>
    <div><dt>Asked by</dt><dd>{{ card.requested_by }}, {{ clockTime(card.created_at) }}</dd></div>
    <div v-if="card.signed_by.length || open">
      <dt>Signed</dt><dd>{{ card.signed_by.length ? card.signed_by.join(", ") : "nobody yet" }}</dd>
    </div>
    <div v-if="open && card.needs.length"><dt>Missing</dt><dd>{{ card.needs.join("; ") }}</dd></div>
    <div v-if="card.ppe.length"><dt>Wear</dt><dd>{{ card.ppe.join(", ") }}</dd></div>
  </dl>
  <template v-if="open && !small">
    <div v-if="card.command" class="k-sign">
      <Sign v-if="card.sign" :card="card" />
      <details v-if="!card.sign || !card.sign.why || card.sign.keys_page" class="k-otherway">
        <summary>Sign with a key file instead</summary>
        <p>On the computer that holds the key:</p>
        <div class="k-command">
          <code ref="command">{{ card.command }}</code>
          <button type="button" class="k-button" @click="take">
            <Icon :name="copied ? 'check' : 'content_copy'" /><span aria-live="polite">{{ copied ? "Copied" : "Copy" }}</span>
          </button>
        </div>
      </details>
    </div>
    <p v-else class="k-note">Answer yes or no in the conversation.</p>
  </template>
  <footer v-if="open || small">
    <a v-if="small" class="k-button" :href="card.url"><Icon name="draw" />{{ open ? (card.sign && card.sign.keys.length ? "Read and sign" : "Details") : "Details" }}</a>
    <button v-if="open && card.may_deny" type="button" class="k-button danger" @click="ask">
      <Icon name="block" />{{ card.mine ? "Withdraw" : "Deny" }}
    </button>
  </footer>
  <dialog ref="dialog" class="k-dialog" :aria-label="card.mine ? 'Withdraw the request' : 'Deny the request'">
    <form method="dialog" @submit.prevent="deny">
      <h3>{{ card.mine ? "Withdraw" : "Deny" }}: {{ card.what }}</h3>
      <label :for="'reason-' + card.id">Reason (others will see it)</label>
      <textarea :id="'reason-' + card.id" v-model="reason" rows="3" maxlength="500" autofocus></textarea>
      <div class="k-actions">
        <button type="button" class="k-button" @click="$refs.dialog.close()">Keep waiting</button>
        <button type="submit" class="k-button danger solid">{{ card.mine ? "Withdraw" : "Deny" }}</button>
      </div>
    </form>
  </dialog>
</article>`,
};
