import { expect, it } from 'vitest';
import { readFloors } from './floor-table.ts';

const README = `
| set | size |
|---|---|
| adi | 82 |

Text between.

| set | BM25 | MiniLM | RRF+MiniLM | bge-small | RRF+bge-small |
|---|---|---|---|---|---|
| adi | 0.4/0.5 | 0.41/0.51 | 0.42/0.52 | | |
| xquad/en | 0.9/1 | 0.8/0.9 | 0.91/0.99 | 0.95/0.99 | 0.97/0.998 |

More text.
`;

it('takes the columns of the same model, and those of the other one where they are empty', () => {
  const floors = readFloors(README);
  expect([...floors.keys()]).toEqual(['adi', 'xquad/en']);
  expect(floors.get('adi')).toEqual({
    lexical: { ndcg10: 0.4, recall10: 0.5 },
    dense: { ndcg10: 0.41, recall10: 0.51 },
    hybrid: { ndcg10: 0.42, recall10: 0.52 },
  });
  expect(floors.get('xquad/en')?.hybrid).toEqual({ ndcg10: 0.97, recall10: 0.998 });
});

it('a text without the table has no floors', () => {
  expect(readFloors('').size).toBe(0);
  expect(readFloors('| set | size |\n|---|---|\n| adi | 82 |').size).toBe(0);
});
