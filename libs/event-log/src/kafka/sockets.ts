import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ISocketFactory, ISocketFactoryArgs } from 'kafkajs';

const KEEP_ALIVE_MS = 60_000;

/**
 * The connections of one log. kafkajs loses sight of some: two refreshes of metadata at once make a broker
 * twice, and one of the two is never disconnected again. Its socket and its timer would keep a service that
 * has stopped alive for ever.
 */
export class Sockets {
  readonly #open = new Set<Socket>();

  /** `open` makes one; what it makes is remembered until it is closed. */
  factory(open: ISocketFactory = openSocket): ISocketFactory {
    return (wanted) => {
      const socket = open(wanted);
      this.#open.add(socket);
      socket.once('close', () => this.#open.delete(socket));
      return socket;
    };
  }

  /** Ends what is left, as if the broker had: kafkajs stops its timers when it hears of that. */
  endAll(): void {
    for (const socket of this.#open) {
      socket.emit('end');
      socket.destroy();
    }
  }
}

/** As kafkajs does where it is given no factory. */
function openSocket({ host, port, ssl, onConnect }: ISocketFactoryArgs): Socket {
  const socket = ssl
    ? connectTls({ host, port, ...(isIP(host) === 0 && { servername: host }), ...ssl }, onConnect)
    : connectPlain({ host, port }, onConnect);
  return socket.setKeepAlive(true, KEEP_ALIVE_MS);
}
