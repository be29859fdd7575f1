/** Takes an update and forgets the stream: nothing is left to wait for. */

import process from "node:process";
import { connect } from "../../mod.ts";

const kt = await connect(process.argv[2]);
await kt.set("k", "v");
const { value } = await kt.replicate().next();
console.log(value?.op);
