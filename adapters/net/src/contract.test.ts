import { connect } from "./connect.ts";
import { transportContract } from "./contract/index.ts";
import { listen } from "./listen.ts";

transportContract("node:http2", { listen, connect });
