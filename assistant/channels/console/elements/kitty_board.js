export { default } from "/console/board.js";
