// The conversation and the line to type in.  Text is only ever shown as text.
import { Card } from "/console/card.js";
import { Icon, Ticking, capital, clockTime, setClock } from "/console/lib.js";

const NEAR_END = 120; // pixels from the end within which new messages scroll into view
const KEPT = 50; // sentences that arrow up brings back

export default {
  components: { Card, Icon },
  mixins: [Ticking],
  props: {
    entries: Array,
    cards: Object,
    suggestions: Array,
    limit: Number,
    now: String,
    greeting: String,
  },
  emits: ["say", "deny"],
  data() {
    setClock(this.now);
    return {
      shown: [...this.entries],
      known: { ...this.cards },
      text: "",
      draft: "",
      back: 0,
      picture: null,
      unread: false,
    };
  },
  computed: {
    said() {
      return this.shown.filter((each) => each.role === "user").map((each) => each.lines.join("\n")).slice(-KEPT);
    },
    last() {
      return this.shown[this.shown.length - 1]?.id;
    },
    over() {
      return this.text.length > this.limit;
    },
    count() {
      return `${this.text.length.toLocaleString("en-GB")} of ${this.limit.toLocaleString("en-GB")} characters`;
    },
  },
  mounted() {
    this.$nextTick(() => this.toEnd(true));
    if (matchMedia("(min-width: 900px)").matches) this.$refs.input.focus();
  },
  methods: {
    capital,
    clockTime,
    put(entry) {
      const at = this.shown.findIndex((each) => each.id === entry.id);
      const near = this.nearEnd();
      const fresh = at < 0 || this.shown[at].busy;
      if (at < 0) this.shown.push(entry);
      else this.shown[at] = entry;
      if (fresh && entry.role === "assistant" && !entry.busy) this.announce(entry);
      this.$nextTick(() => this.toEnd(near || entry.role === "user"));
    },
    putCard(card) {
      this.known[card.id] = card;
      this.$nextTick(() => this.toEnd(this.nearEnd()));
    },
    chips(entry) {
      // What waits shows on its card, which goes on when the waiting ends.
      const waits = entry.event && this.known[entry.event];
      return waits ? entry.chips.filter((chip) => chip.outcome !== "pending") : entry.chips;
    },
    announce(entry) {
      // On a phone the board may be in front: the reply shows there, too.
      if (this.$el.offsetParent === null && entry.lines.length)
        Quasar.Notify.create({ message: entry.lines.join(" "), position: "top", timeout: 6000, classes: "k-toast" });
    },
    nearEnd() {
      const list = this.$refs.list;
      return list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_END;
    },
    toEnd(really) {
      const list = this.$refs.list;
      if (really) list.scrollTop = list.scrollHeight;
      this.unread = !really && !this.nearEnd();
    },
    seen() {
      if (this.nearEnd()) this.unread = false;
    },
    send() {
      const text = this.text.trim();
      if (!text || this.over) return;
      this.say(text);
      this.text = "";
      this.back = 0;
      this.$nextTick(this.grow);
    },
    say(text) {
      this.$emit("say", { text });
    },
    keys(event) {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.send();
      } else if (event.key === "ArrowUp" && this.$refs.input.selectionStart === 0) {
        this.recall(event, 1);
      } else if (event.key === "ArrowDown" && this.back > 0 && this.$refs.input.selectionEnd === this.text.length) {
        this.recall(event, -1);
      }
    },
    recall(event, step) {
      const to = this.back + step;
      if (to > this.said.length) return;
      event.preventDefault();
      if (this.back === 0) this.draft = this.text;
      this.back = to;
      this.text = to === 0 ? this.draft : this.said[this.said.length - to];
      this.$nextTick(() => {
        this.grow();
        const end = step > 0 ? 0 : this.text.length;
        this.$refs.input.setSelectionRange(end, end);
      });
    },
    grow() {
      const input = this.$refs.input;
      input.style.height = "auto";
      input.style.height = `${Math.min(input.scrollHeight, 180)}px`;
    },
    enlarge(picture) {
      this.picture = picture;
      this.$nextTick(() => this.$refs.viewer.showModal());
    },
  },
  template: `
<div class="k-chat">
  <div ref="list" class="k-list" tabindex="0" aria-label="Conversation" @scroll.passive="seen">
    <div v-if="!shown.length" class="k-empty">
      <h2>{{ greeting }}</h2>
      <p>Say what you need in plain words. For example:</p>
      <ul>
        <li v-for="each in suggestions" :key="each">
          <button type="button" class="k-suggestion" @click="say(each)"><Icon name="north_east" />{{ each }}</button>
        </li>
      </ul>
    </div>
    <ol role="log" aria-live="polite" aria-relevant="additions text">
      <li v-for="each in shown" :key="each.id" class="k-entry" :class="[each.role, { broken: each.broken }]">
        <div class="k-who"><b>{{ each.role === "user" ? "You" : "KITTY" }}</b> <time>{{ clockTime(each.at) }}</time></div>
        <p v-if="each.busy && !each.lines.length" class="k-busy" role="status">
          <span class="k-spinner" aria-hidden="true"></span>{{ each.doing }}
        </p>
        <div v-if="each.lines.length" class="k-bubble"><p v-for="(line, i) in each.lines" :key="i" dir="auto">{{ line }}</p></div>
        <ul v-if="chips(each).length" class="k-chips" aria-label="What was done">
          <li v-for="(chip, i) in chips(each)" :key="i" class="k-chip" :class="chip.outcome">
            <Icon :name="chip.icon" /><b>{{ chip.word }}</b><span>{{ chip.label }}</span>
          </li>
        </ul>
        <div v-if="each.pictures.length" class="k-pictures">
          <button v-for="picture in each.pictures" :key="picture.url" type="button" class="k-picture" @click="enlarge(picture)"
            :aria-label="'Enlarge: ' + picture.title"><img :src="picture.url" :alt="picture.title"><span>{{ picture.title }}</span></button>
        </div>
        <ul v-if="each.links.length" class="k-links">
          <li v-for="link in each.links" :key="link.url"><a :href="link.url" target="_blank" rel="noopener">{{ link.title }}</a></li>
        </ul>
        <Card v-if="each.event && known[each.event]" :card="known[each.event]" small @deny="$emit('deny', $event)" />
        <div v-if="each.options.length" class="k-options" role="group" aria-label="Answers">
          <button v-for="option in each.options" :key="option" type="button" class="k-button option"
            :disabled="each.id !== last" @click="say(option)">{{ capital(option) }}</button>
        </div>
      </li>
    </ol>
  </div>
  <button v-if="unread" type="button" class="k-newer" @click="toEnd(true)"><Icon name="south" />New messages</button>
  <form class="k-composer" @submit.prevent="send">
    <label class="k-sr" for="k-input">Say something to KITTY</label>
    <textarea id="k-input" ref="input" v-model="text" rows="1" dir="auto" placeholder="Say something to KITTY"
      enterkeyhint="send" autocomplete="off" :aria-invalid="over" aria-describedby="k-count"
      @keydown="keys" @input="grow"></textarea>
    <button type="submit" class="k-send" :disabled="!text.trim() || over" aria-label="Send"><Icon name="send" /></button>
    <p id="k-count" class="k-count" :class="{ over, shown: text.length > limit / 2 }" aria-live="polite">
      {{ over ? "Too long: " : "" }}{{ count }}
    </p>
  </form>
  <dialog ref="viewer" class="k-viewer" aria-label="Picture" @click="$refs.viewer.close()">
    <figure v-if="picture"><img :src="picture.url" :alt="picture.title"><figcaption>{{ picture.title }}</figcaption></figure>
    <button type="button" class="k-button" autofocus><Icon name="close" />Close</button>
  </dialog>
</div>`,
};
