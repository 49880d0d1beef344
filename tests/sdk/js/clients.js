/*
 * Clients of the published SDK for a test, wherever they live: what a command does, and everything
 * that the SDK tells. See `driver.js` for the commands and the lines that go out.
 */

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

/**
 * Return what does a command and says how that went.
 *
 * @param sdk the SDK's module
 * @param write takes what goes out, an object each
 * @param socketWith makes a class of WebSocket that sends headers; null in a browser, which sends
 *   its cookies and its origin by itself
 */
export function driver({ Centrifuge, UnauthorizedError }, write, socketWith) {
  const clients = new Map();
  const questions = new Map();

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

  function create({ client, url, headers, options, asks }) {
    const centrifuge = new Centrifuge(url, {
      ...options,
      websocket: socketWith?.(headers) ?? null,
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

  return async (command) => {
    try {
      const result = await COMMANDS[command.command](command);
      write({ id: command.id, result: result ?? null });
    } catch (error) {
      write({ id: command.id, error: errorOf(error) });
    }
  };
}
