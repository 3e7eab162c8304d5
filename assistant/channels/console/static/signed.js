// What somebody is about to sign, in words made from the very bytes that are signed.
import { fromBase64 } from "/console/keyring.js";

const FORMAT = "kitty.safety_event/1";
const KNOWN = new Set([
  "format", "id", "action", "device", "zone", "requester", "hazard", "quorum", "policy", "ppe",
  "device_state", "evidence", "tainted", "nonce", "not_before", "expires_at", "site",
]);
// One sentence for each kind of action; whatever else there is, its values are listed anyway.
const SENTENCES = {
  UnlockDoor: (name, values) => `Unlock ${name} for ${values.seconds} seconds`,
  EnablePower: (name) => `Give power to ${name}`,
  StartPrint: (name, values) => `Print the file ${quoted(values.gcode_path)} on ${name}`,
  ResumePrint: (name) => `Go on with the print on ${name}`,
  SetTemperature: (name, values) => `Heat the ${shown(values.part)} of ${name} to ${values.celsius} °C`,
  SendGcode: (name) => `Send raw G-code to ${name}`,
  SetScene: (name, values) => `Set ${name} to the scene ${quoted(values.scene)}`,
};

// Text from elsewhere: nothing invisible, nothing that turns the line around.
function shown(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (each) => `\\u{${each.codePointAt(0).toString(16)}}`);
}

function quoted(value) {
  return `“${shown(value)}”`;
}

function list(values) {
  return Object.entries(values).map(([name, value]) => `${shown(name)} = ${typeof value === "string" ? quoted(value) : shown(value)}`);
}

function moment(iso) {
  const at = new Date(iso);
  return at.toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

// Returns {digest, text, hex, title, rows}; throws if this is not the request, or not understood.
export async function readSigned(told, event) {
  const bytes = fromBase64(told.canonical);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  const signed = JSON.parse(text);
  const strange = Object.keys(signed).filter((name) => !KNOWN.has(name));
  if (signed.format !== FORMAT || signed.id !== event || strange.length)
    throw new Error("What is to be signed is not understood here. Load the page again.");
  const { action, device, zone, requester, policy } = signed;
  const name = quoted(device.name);
  const sentence = SENTENCES[action.kind] ?? ((each) => `${shown(action.kind)} on ${each}`);
  const rows = [
    ["Values", list(action.arguments)],
    ["Device", [`${quoted(device.name)} (${shown(device.external_id)})`]],
    ["It says", list(signed.device_state)],
    ["Zone", [quoted(zone.name)]],
    ["Site", signed.site ? [quoted(signed.site)] : []],
    ["Asked by", [`${quoted(requester.name)} (${shown(requester.handle)})`]],
    ["Hazard", [`${shown(signed.hazard)}: ${signed.quorum} ${signed.quorum === 1 ? "person signs" : "people sign"}`]],
    ["May sign", [policy.roles.map(shown).join(", ")]],
    ["You vouch for", signed.ppe.map(quoted)],
    ["Rests on", list(signed.evidence)],
    ["Careful", signed.tainted ? ["Text from outside had a part in this request. Check every value."] : []],
    ["Good until", [moment(signed.expires_at)]],
  ];
  const hex = Array.from(digest, (each) => each.toString(16).padStart(2, "0")).join("");
  return { digest, text, hex, title: sentence(name, action.arguments), rows: rows.filter(([, lines]) => lines.length) };
}
