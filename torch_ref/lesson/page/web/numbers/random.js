/**
 * Numbers drawn from a seed, the same in every browser: mulberry32, in whole numbers of 32 bits.
 * @param {number} seed a whole number from 0 to 2³² − 1
 * @returns {() => number} draws from 0 up to, but not including, 1
 */
export function drawsFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One of several things. */
export function oneOf(things, draw) {
  return things[Math.floor(draw() * things.length)];
}

/** The same things in another order. */
export function shuffled(things, draw) {
  const order = [...things];
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(draw() * (last + 1));
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}
