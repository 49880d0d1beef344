/*
 * Drives clients of the published SDK for a test: commands come in as lines of JSON, answers and
 * everything that the SDK tells go out as lines of JSON.
 *
 *   in   {"id": 1, "client": "a", "command": "publish", "channel": "chat:lobby", "data": {}}
 *   out  {"id": 1, "result": {}}   or   {"id": 1, "error": {"code": 103, "message": ".."}}
 *   out  {"client": "a", "event": "publication", "channel": "chat:lobby", "offset": 7, "data": {}}
 *   out  {"client": "a", "question": 1, "channel": ""}   the SDK wants a token; the answer is
 *   in   {"id": 2, "command": "token", "question": 1, "token": ".."}   null: the user has none;
 *        "failure": ".." instead of a token: the application's server did not answer
 */

import { createInterface } from "node:readline";
import { Centrifuge, UnauthorizedError } from "centrifuge";
import WebSocket from "ws";

const clients = new Map();
const questions = new Map();

/** What the SDK leaves out is null, so that the test finds the same members with every SDK. */
const write = (line) =>
  process.stdout.write(`${JSON.stringify(line, (_, value) => value ?? null)}\n`);

const infoOf = (info) =>
  info && {
    client: info.client,
    user: info.user,
    conn_info: info.connInfo,
    chan_info: info.chanInfo,
  };

const publicationOf = (ctx) => ({
  offset: ctx.offset ?? 0,
  data: ctx.data,
  info: infoOf(ctx.info),
  tags: ctx.tags,
});

const subscribedOf = (ctx) => ({
  recoverable: ctx.recoverable,
  positioned: ctx.positioned,
  was_recovering: ctx.wasRecovering,
  recovered: ctx.recovered,
  position: ctx.streamPosition,
  data: ctx.data,
});

/** What the SDK tells of a subscription, or, with the channel in it, of server-side ones. */
const CHANNEL_EVENTS = {
  subscribing: (ctx) => ({ code: ctx.code, reason: ctx.reason }),
  subscribed: subscribedOf,
  unsubscribed: (ctx) => ({ code: ctx.code, reason: ctx.reason }),
  publication: publicationOf,
  join: (ctx) => ({ info: infoOf(ctx.info) }),
  leave: (ctx) => ({ info: infoOf(ctx.info) }),
};

const CONNECTION_EVENTS = {
  connecting: (ctx) => ({ code: ctx.code, reason: ctx.reason }),
  connected: (ctx) => ({ client_id: ctx.client, data: ctx.data }),
  disconnected: (ctx) => ({ code: ctx.code, reason: ctx.reason }),
  message: (ctx) => ({ data: ctx.data }),
};

const errorOf = (error) => ({
  code: error?.code ?? 0,
  message: error?.message ?? String(error),
  temporary: error?.temporary ?? false,
});

function tell(client, emitter, events, extra) {
  for (const [event, fields] of Object.entries(events)) {
    emitter.on(event, (ctx) =>
      write({ client, event, channel: ctx.channel ?? "", ...extra, ...fields(ctx) }),
    );
  }
}

/** Ask the test for a token, as an application asks its server. */
async function ask(client, channel) {
  const question = questions.size + 1;
  const { token, failure } = await new Promise((resolve) => {
    questions.set(question, resolve);
    write({ client, question, channel });
  });
  if (failure) {
    throw new Error(failure);
  }
  if (token === null) {
    throw new UnauthorizedError("the test has no token");
  }
  return token;
}

/** A browser sends its cookies and its origin by itself. */
const socketWith = (headers) =>
  class extends WebSocket {
    constructor(url, protocols) {
      super(url, protocols, { headers });
    }
  };

function create({ client, url, headers, options, asks }) {
  const centrifuge = new Centrifuge(url, {
    ...options,
    websocket: socketWith(headers),
    getToken: asks ? () => ask(client, "") : null,
  });
  tell(client, centrifuge, CONNECTION_EVENTS, {});
  tell(client, centrifuge, CHANNEL_EVENTS, { server_side: true });
  centrifuge.on("error", (ctx) =>
    write({ client, event: "error", channel: "", type: ctx.type, ...errorOf(ctx.error) }),
  );
  clients.set(client, centrifuge);
}

function subscribe({ client, channel, options, asks }) {
  const centrifuge = clients.get(client);
  let subscription = centrifuge.getSubscription(channel);
  if (subscription === null) {
    subscription = centrifuge.newSubscription(channel, {
      ...options,
      getToken: asks ? () => ask(client, channel) : null,
    });
    tell(client, subscription, CHANNEL_EVENTS, {});
    subscription.on("error", (ctx) =>
      write({ client, event: "error", channel, type: ctx.type, ...errorOf(ctx.error) }),
    );
  }
  subscription.subscribe();
}

const COMMANDS = {
  create,
  connect: ({ client }) => clients.get(client).connect(),
  disconnect: ({ client }) => clients.get(client).disconnect(),
  subscribe,
  unsubscribe: ({ client, channel }) => clients.get(client).getSubscription(channel).unsubscribe(),
  publish: ({ client, channel, data }) => clients.get(client).publish(channel, data),
  history: async ({ client, channel, options }) => {
    const page = await clients.get(client).history(channel, options);
    return { ...page, publications: page.publications.map(publicationOf) };
  },
  presence: async ({ client, channel }) => {
    const { clients: present } = await clients.get(client).presence(channel);
    return Object.fromEntries(Object.entries(present).map(([id, info]) => [id, infoOf(info)]));
  },
  presence_stats: async ({ client, channel }) => {
    const stats = await clients.get(client).presenceStats(channel);
    return { num_clients: stats.numClients, num_users: stats.numUsers };
  },
  rpc: async ({ client, method, data }) => (await clients.get(client).rpc(method, data)).data,
  send: ({ client, data }) => clients.get(client).send(data),
  token: (answer) => questions.get(answer.question)(answer),
};

async function obey(line) {
  const command = JSON.parse(line);
  try {
    const result = await COMMANDS[command.command](command);
    write({ id: command.id, result: result ?? null });
  } catch (error) {
    write({ id: command.id, error: errorOf(error) });
  }
}

createInterface({ input: process.stdin })
  .on("line", obey)
  .on("close", () => process.exit(0));
