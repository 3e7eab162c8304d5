// The lab as it stands: zones as sections, devices as tiles.
import { Icon, Ticking, capital, clockTime, setClock, span, now } from "/console/lib.js";

const Tile = {
  components: { Icon },
  props: { tile: Object, tick: Number },
  emits: ["tap", "safe"],
  computed: {
    eta() {
      void this.tick;
      return this.tile.ends_at ? span((Date.parse(this.tile.ends_at) - now()) / 1000) : "";
    },
    percent() {
      return Math.round((this.tile.progress ?? 0) * 100);
    },
    label() {
      const press = this.tile.on === null ? "" : this.tile.on ? ". Press to turn off." : ". Press to turn on.";
      return `${this.tile.name}: ${this.tile.word}${press}`;
    },
  },
  methods: { clockTime },
  template: `
<component :is="tile.tap ? 'button' : 'div'" class="k-tile" :class="[tile.kind, tile.tone]" :data-device="tile.id"
  :type="tile.tap ? 'button' : null" :aria-pressed="tile.tap ? String(!!tile.on) : null"
  :aria-label="tile.tap ? label : null" @click="tile.tap && $emit('tap', tile.id)">
  <img v-if="tile.picture" class="k-shot" :src="tile.picture" :alt="'Newest picture of ' + tile.name" loading="lazy">
  <span class="k-tile-head">
    <span class="k-tile-icon"><Icon :name="tile.icon" /></span>
    <span class="k-tile-words">
      <span class="k-tile-name">{{ tile.name }}</span>
      <span class="k-tile-word">{{ tile.word }}<template v-if="tile.since"> since {{ clockTime(tile.since) }}</template></span>
    </span>
  </span>
  <span v-if="tile.progress !== null" class="k-print">
    <span class="k-bar" role="progressbar" :aria-valuenow="percent" aria-valuemin="0" aria-valuemax="100"
      :aria-label="'Progress of ' + tile.name"><span :style="{ width: percent + '%' }"></span></span>
    <span class="k-numbers"><b>{{ percent }} %</b><span v-if="eta">{{ eta }} left</span></span>
  </span>
  <span v-for="line in tile.lines" :key="line" class="k-tile-line">{{ line }}</span>
  <button v-if="tile.safe" type="button" class="k-button small" @click.stop="$emit('safe', tile.id)">{{ tile.safe }}</button>
</component>`,
};

export default {
  components: { Icon, Tile },
  mixins: [Ticking],
  props: { zones: Array, now: String },
  emits: ["tap", "safe"],
  data() {
    setClock(this.now);
    const tiles = {};
    for (const zone of this.zones) for (const tile of zone.tiles) tiles[tile.id] = tile;
    return { tiles, only: null };
  },
  computed: {
    visible() {
      return this.zones.filter((zone) => !this.only || zone.id === this.only);
    },
  },
  methods: {
    capital,
    put(tiles) {
      for (const tile of tiles) this.tiles[tile.id] = tile;
    },
    counts(zone) {
      const off = zone.tiles.filter((tile) => ["bad", "offline"].includes(this.tiles[tile.id].tone)).length;
      return off ? `${off} need${off === 1 ? "s" : ""} attention` : "";
    },
  },
  template: `
<div class="k-board">
  <div class="k-filter" role="group" aria-label="Show zone">
    <button type="button" :aria-pressed="String(only === null)" @click="only = null">All zones</button>
    <button v-for="zone in zones" :key="zone.id" type="button" :aria-pressed="String(only === zone.id)" @click="only = zone.id">{{ zone.name }}</button>
  </div>
  <div class="k-zones" tabindex="0" aria-label="Zones">
    <section v-for="zone in visible" :key="zone.id" class="k-zone" :aria-label="zone.name" :data-zone="zone.id">
      <header>
        <h2>{{ zone.name }}</h2>
        <span class="k-pill" :class="'hazard-' + zone.hazard"><Icon v-if="zone.hazard !== 'low'" name="warning" />{{ capital(zone.hazard) }} hazard</span>
        <span v-if="zone.ppe" class="k-pill ppe"><Icon name="masks" />Wear protective equipment</span>
        <span v-if="counts(zone)" class="k-attention">{{ counts(zone) }}</span>
      </header>
      <div class="k-tiles">
        <Tile v-for="tile in zone.tiles" :key="tile.id" :tile="tiles[tile.id]" :tick="tiles[tile.id].ends_at ? tick : 0"
          @tap="$emit('tap', { id: $event })" @safe="$emit('safe', { id: $event })" />
      </div>
    </section>
    <p v-if="!zones.length" class="k-note">There are no zones yet. Import a lab file to begin.</p>
  </div>
</div>`,
};
