import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { Circuit } from './circuit.ts';

function aCircuit() {
  const clock = new FakeClock();
  // The highest draw there is: pauses are their ceiling.
  const circuit = new Circuit({ minPauseMs: 100, maxPauseMs: 350, clock, random: () => 1 });
  return { clock, circuit };
}

function aClosedCircuit() {
  const { clock, circuit } = aCircuit();
  circuit.startProbe();
  circuit.probed(true);
  return { clock, circuit };
}

/** ms until the next probe is let through. */
async function pauseOf({ clock, circuit }: ReturnType<typeof aCircuit>): Promise<number> {
  for (let ms = 0; ; ms += 10) {
    if (circuit.startProbe()) return ms;
    await clock.advance(10);
  }
}

describe('circuit', () => {
  it('begins open and lets one probe through at once', () => {
    const { circuit } = aCircuit();
    expect([circuit.closed, circuit.startProbe(), circuit.startProbe()]).toEqual([false, true, false]);
    circuit.probed(true);
    expect([circuit.closed, circuit.startProbe()]).toEqual([true, false]);
  });

  it('opens at the first failure, and says so once', () => {
    const { circuit } = aClosedCircuit();
    expect([circuit.open(), circuit.open(), circuit.closed]).toEqual([true, false, false]);
  });

  it('pauses longer after every failed probe, up to a limit, and begins anew after a success', async () => {
    const { clock, circuit } = aClosedCircuit();
    circuit.open();
    const pauses = [];
    for (let n = 0; n < 4; n++) {
      pauses.push(await pauseOf({ clock, circuit }));
      circuit.probed(false);
    }
    expect(pauses).toEqual([100, 200, 350, 350]);
    await pauseOf({ clock, circuit });
    circuit.probed(true);
    circuit.open();
    expect(await pauseOf({ clock, circuit })).toBe(100);
  });

  it('does not wait when something has changed', () => {
    const { circuit } = aClosedCircuit();
    circuit.open();
    expect(circuit.startProbe()).toBe(false);
    circuit.endPause();
    expect(circuit.startProbe()).toBe(true);
  });
});
