export { default } from "/console/keys.js";
