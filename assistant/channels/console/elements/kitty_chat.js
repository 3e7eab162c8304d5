export { default } from "/console/chat.js";
