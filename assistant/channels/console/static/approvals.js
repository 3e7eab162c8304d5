// Requests that wait for people, and what became of the recent ones.
import { Card } from "/console/card.js";
import { Icon, clockTime, setClock } from "/console/lib.js";

export default {
  components: { Card, Icon },
  props: { cards: Array, now: String, single: Boolean },
  emits: ["deny"],
  data() {
    setClock(this.now);
    return { shown: [...this.cards] };
  },
  computed: {
    waiting() {
      return this.shown.filter((card) => card.open);
    },
    recent() {
      return this.shown.filter((card) => !card.open);
    },
  },
  methods: {
    clockTime,
    replace(cards) {
      this.shown = cards;
    },
  },
  template: `
<div class="k-approvals">
  <Card v-if="single && shown.length" :card="shown[0]" @deny="$emit('deny', $event)" />
  <template v-else>
    <h2>Waiting for people</h2>
    <div v-if="waiting.length" class="k-cards"><Card v-for="card in waiting" :key="card.id" :card="card" @deny="$emit('deny', $event)" /></div>
    <p v-else class="k-calm"><Icon name="task_alt" />Nothing waits for a signature.</p>
    <h2>Recent</h2>
    <ul v-if="recent.length" class="k-recent">
      <li v-for="card in recent" :key="card.id" :class="card.tone">
        <a :href="card.url">
          <span class="k-state"><Icon :name="card.icon" />{{ card.word }}</span>
          <span class="k-what">{{ card.what }}</span>
          <span class="k-when">{{ card.requested_by }}, {{ clockTime(card.created_at) }}</span>
          <span v-if="card.reason" class="k-why">{{ card.reason }}</span>
        </a>
      </li>
    </ul>
    <p v-else class="k-calm">No requests yet.</p>
  </template>
</div>`,
};
