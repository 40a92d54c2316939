import { expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { Circuit } from './circuit.ts';

function opened() {
  const clock = new FakeClock();
  const circuit = new Circuit({ clock, random: () => 1 });
  for (let i = 0; i < 5; i++) circuit.onFailure();
  return { clock, circuit };
}

it('opens after five failures in a row, and a success between them begins anew', () => {
  const circuit = new Circuit({ clock: new FakeClock(), random: () => 1 });
  for (let i = 0; i < 4; i++) expect(circuit.onFailure()).toBe(false);
  circuit.onAlive();
  for (let i = 0; i < 4; i++) expect(circuit.onFailure()).toBe(false);
  expect(circuit.state).toBe('closed');
  expect(circuit.onFailure()).toBe(true);
  expect(circuit.state).toBe('open');
});

it('lets one trial through when its time is over, and no second before the first is known', async () => {
  const { clock, circuit } = opened();
  await clock.advance(circuit.openForMs);
  expect(circuit.state).toBe('trial');
  circuit.onSend();
  expect(circuit.state).toBe('open');
  circuit.onAlive();
  expect(circuit.state).toBe('closed');
});

it('stays open longer after each trial that fails, up to half a minute', async () => {
  const { clock, circuit } = opened();
  const opens = [circuit.openForMs];
  for (let i = 0; i < 10; i++) {
    await clock.advance(circuit.openForMs);
    circuit.onSend();
    expect(circuit.onFailure()).toBe(true);
    opens.push(circuit.openForMs);
  }
  expect(opens.slice(0, 3)).toEqual([500, 1_000, 2_000]);
  expect(opens.at(-1)).toBe(30_000);
});

it('a trial that its caller gave up leaves room for another', async () => {
  const { clock, circuit } = opened();
  await clock.advance(circuit.openForMs);
  circuit.onSend();
  circuit.onAbandoned();
  expect(circuit.state).toBe('trial');
});

it('late failures of requests from before do not prolong it', () => {
  const { circuit } = opened();
  const before = circuit.openForMs;
  expect(circuit.onFailure()).toBe(false);
  expect(circuit.openForMs).toBe(before);
});
