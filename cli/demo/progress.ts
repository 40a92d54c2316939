import cliProgress from 'cli-progress';
import type { Output } from '../output.ts';

/** How far a piece of work is: a bar on a terminal, one line at its end elsewhere. */
export interface Progress {
  advance(step: string): void;
  /** Ends the bar and says what was done. */
  end(summary: string): void;
}

/** @param total how many steps there are, as far as it is known; 0 when it is not. */
export function showProgress(output: Output, title: string, total: number): Progress {
  if (!output.isTerminal) return { advance: () => undefined, end: (summary) => output.say(summary) };
  const bar = new cliProgress.SingleBar({
    format: `${title} {bar} {value}/{total} {step}`,
    barCompleteChar: '#',
    barIncompleteChar: '-',
    hideCursor: true,
    clearOnComplete: true,
    stream: process.stderr,
  });
  bar.start(total, 0, { step: '' });
  return {
    advance: (step) => bar.increment(1, { step: step.slice(0, 30) }),
    end: (summary) => {
      bar.stop();
      output.say(summary);
    },
  };
}
