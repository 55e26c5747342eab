/** What is signed in the CRAM-HMAC exchange (wire-protocol 7.2). The HMAC itself is the caller's. */

/** Bytes of a challenge; 8.4 accepts up to twice as many. */
export const CHALLENGE_BYTES = 64;

/**
 * The message whose HMAC (key: the shared secret without NUL) answers a challenge. From protocol 110 on
 * the answering node's id follows the challenge, 4 bytes big endian, so that it cannot be reflected.
 */
export function authMessage(challenge: Uint8Array, protocol: number, responderNodeId: number): Uint8Array {
  if (protocol < 110) return challenge;
  const message = new Uint8Array(challenge.length + 4);
  message.set(challenge);
  new DataView(message.buffer).setInt32(challenge.length, responderNodeId);
  return message;
}
