/** A script that uses the client and simply ends; never closes it. Given a case and a port. */

import process from "node:process";
import { connect, text } from "../../mod.ts";

const [what, port] = process.argv.slice(2);
process.on("unhandledRejection", (reason) => {
  console.log(`unhandled: ${reason}`);
  process.exitCode = 1;
});
const options = { port: Number(port), codec: text };
const name = (error: Error) => error.name;

switch (what) {
  case "nothing":
    break;
  case "connect":
    await connect(options);
    break;
  case "work": {
    const kt = await connect(options);
    await kt.set("k", "v", { timeout: 60_000 });
    console.log(await kt.get("k", { signal: new AbortController().signal }));
    await kt.set("k", "w", { noReply: true });
    break;
  }
  case "pending": {
    const kt = await connect(options);
    kt.get("k").then(console.log);
    break;
  }
  case "timeout": {
    const kt = await connect(options);
    console.log(await kt.get("k", { timeout: 100 }).catch(name));
    break;
  }
  case "abort": {
    const kt = await connect(options);
    const controller = new AbortController();
    const call = kt.set("k", "v", { signal: controller.signal });
    setTimeout(() => controller.abort(), 50);
    console.log(await call.catch(name));
    break;
  }
  case "silent": {
    const kt = await connect({ ...options, replyTimeout: 100, reconnect: false });
    console.log(await kt.set("k", "v").catch(name));
    break;
  }
  case "closed": {
    const kt = await connect({ ...options, reconnect: { attempts: 3, minDelay: 20 } });
    const calls = [kt.get("a"), kt.set("b", "v"), kt.remove("c"), kt.playScript("p")];
    console.log((await Promise.all(calls.map((call) => call.catch(name)))).join());
    break;
  }
  case "reconnect": {
    const kt = await connect(options);
    await kt.get("a");
    console.log(await kt.get("k"));
    break;
  }
  case "refused":
    console.log(await connect(options).catch(name));
    break;
  case "hole":
    console.log(await connect({ ...options, connectTimeout: 100 }).catch(name));
    break;
  case "careless": {
    // Whoever forgets to wait for a call hears of its failure, but of nothing else.
    const kt = await connect({ ...options, reconnect: false });
    const controller = new AbortController();
    kt.get("a", { signal: controller.signal, timeout: 5_000 }).catch(() => {});
    controller.abort();
    kt.closed.then(() => console.log("closed"));
    kt.destroy(new Error("enough"));
    kt.destroy();
    await kt.close();
    await kt.get("b").catch(() => {});
    break;
  }
}
