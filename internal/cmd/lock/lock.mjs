// Removes the field "engines" from every entry of package-lock.json, for `make lock`.
//
// npm compares it with the Node that runs npm. The packages run under another Node, which the lock
// file installs. node_test.go compares their requirements with that one.
import { readFileSync, writeFileSync } from "node:fs";

const file = "package-lock.json";
const lock = JSON.parse(readFileSync(file, "utf8"));
for (const entry of Object.values(lock.packages)) delete entry.engines;
writeFileSync(file, JSON.stringify(lock, null, 2) + "\n");
