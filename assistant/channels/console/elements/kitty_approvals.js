export { default } from "/console/approvals.js";
