'use strict';
// Packed frames and batches by hand, right and wrong; PROTOCOL.md says what they are.

const MARKS = { packed: Buffer.from([0x01]), batch: Buffer.from([0x02]) };

/** Each frame behind its length; all of them short. */
function inside(frames) {
  return Buffer.concat(
    frames.flatMap((frame) => {
      const bytes = Buffer.from(frame);
      return [Buffer.from([bytes.length]), bytes];
    }),
  );
}

/** One message as one frame. */
const packed = (...frames) => Buffer.concat([MARKS.packed, inside(frames)]);

/** One message as it stands in a batch. */
function part(...frames) {
  const bytes = inside(frames);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

/** A batch of parts, or of any bytes in their place. */
const batch = (...parts) => Buffer.concat([MARKS.batch, ...parts.map((bytes) => Buffer.from(bytes))]);

/** The most messages that a batch can hold: none has a frame. */
const FULL = 32_767;
const fullBatch = () => batch(Buffer.alloc(2 * FULL));

module.exports = { FULL, batch, fullBatch, packed, part };
