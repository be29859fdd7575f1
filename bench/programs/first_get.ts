/** What a script does first: imports the client, connects to the given port, gets a record. */

import process from "node:process";
import { connect } from "../../mod.ts";

const kt = await connect({ hostname: process.argv[2], port: Number(process.argv[3]) });
await kt.get("b0000000");
