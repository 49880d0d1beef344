// Node's `ws` as a peer: what /pub sends goes to everybody else. It writes its port to stdout and
// ends with stdin. NODE_PATH says where `ws` is.
"use strict";

const { createServer } = require("node:http");
const { WebSocketServer } = require("ws");

const subscribers = new Set();
const server = createServer();
const sockets = new WebSocketServer({ server, clientTracking: false });

sockets.on("connection", (socket, request) => {
  if (request.url === "/pub") {
    socket.on("message", (data) => {
      const text = data.toString();
      for (const subscriber of subscribers) subscriber.send(text);
    });
  } else {
    subscribers.add(socket);
    socket.on("close", () => subscribers.delete(socket));
  }
});

server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => {
  console.log(server.address().port);
});
process.stdin.on("end", () => process.exit(0)).resume();
