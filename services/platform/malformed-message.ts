import type { ServiceDefinition } from "@grpc/grpc-js";
import { InvalidInput } from "#domain/invalid-input.ts";

/** Stands where a message should be that could not be decoded. */
class MalformedMessage {
  readonly bytes: number;
  readonly why: string;

  constructor(bytes: number, why: string) {
    this.bytes = bytes;
    this.why = why;
  }
}

/**
 * The same service, but bytes that are no message reach the handlers, which
 * refuse them like any other bad input; by itself the server would answer that
 * it failed internally.
 */
export function withMalformedMessages(definition: ServiceDefinition): ServiceDefinition {
  return Object.fromEntries(
    Object.entries(definition).map(([name, method]) => [
      name,
      {
        ...method,
        requestDeserialize: (bytes: Buffer): unknown => decodeOr(method.requestDeserialize, bytes),
      },
    ]),
  );
}

function decodeOr(decode: (bytes: Buffer) => unknown, bytes: Buffer): unknown {
  try {
    return decode(bytes);
  } catch (error) {
    return new MalformedMessage(bytes.length, error instanceof Error ? error.message : String(error));
  }
}

/** @throws InvalidInput when the message could not be decoded */
export function requireMessage<Message>(message: Message): Message {
  if (!(message instanceof MalformedMessage)) return message;
  throw new InvalidInput({
    code: "malformed-message",
    field: "message",
    value: `${message.bytes} bytes`,
    message: `these bytes are no message of this method (${message.why})`,
    remedy: "encode the request as its .proto file says",
  });
}

/** The same for every message of a stream. */
export async function* requireMessages<Message>(messages: AsyncIterable<Message>): AsyncGenerator<Message> {
  for await (const message of messages) yield requireMessage(message);
}
