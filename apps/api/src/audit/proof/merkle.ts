import { hash } from 'node:crypto';

/** Merkle trees as in RFC 6962: leaves are hashed behind a 0x00 byte, nodes behind a 0x01, so that neither passes for the other. */
const LEAF = '\u0000';
const NODE = Buffer.from([1]);

/** `text` is the canonical row. */
export function leafHash(text: string): Buffer {
  return hash('sha256', LEAF + text, 'buffer');
}

function nodeHash(left: Buffer, right: Buffer): Buffer {
  return hash('sha256', Buffer.concat([NODE, left, right]), 'buffer');
}

/** The largest power of two below `size`: how many leaves stand on the left of the top. */
const split = (size: number): number => 2 ** Math.ceil(Math.log2(size) - 1);

/** Builds a root leaf by leaf, keeping one hash for each level. */
export class MerkleBuilder {
  private readonly subtrees: { size: number; hash: Buffer }[] = [];

  add(leaf: Buffer): void {
    let top = { size: 1, hash: leaf };
    while (this.subtrees.at(-1)?.size === top.size) {
      const left = this.subtrees.pop() as typeof top;
      top = { size: left.size * 2, hash: nodeHash(left.hash, top.hash) };
    }
    this.subtrees.push(top);
  }

  root(): Buffer {
    if (this.subtrees.length === 0) return hash('sha256', '', 'buffer');
    return this.subtrees.map((subtree) => subtree.hash).reduceRight((right, left) => nodeHash(left, right));
  }
}

interface Branch {
  hash: Buffer;
  left?: Branch;
  right?: Branch;
}

/** A whole tree in memory (at least one leaf), for proofs of single leaves. */
export class MerkleTree {
  private readonly top: Branch;
  private readonly size: number;

  constructor(leaves: Buffer[]) {
    this.size = leaves.length;
    this.top = grow(leaves, 0, leaves.length);
  }

  get root(): Buffer {
    return this.top.hash;
  }

  /** The siblings on the way from the leaf at `index` to the root, lowest first. */
  proof(index: number): Buffer[] {
    const siblings: Buffer[] = [];
    let [branch, size, rest] = [this.top, this.size, index];
    while (branch.left && branch.right) {
      const left = split(size);
      if (rest < left) {
        siblings.push(branch.right.hash);
        [branch, size] = [branch.left, left];
      } else {
        siblings.push(branch.left.hash);
        [branch, size, rest] = [branch.right, size - left, rest - left];
      }
    }
    return siblings.reverse();
  }
}

function grow(leaves: Buffer[], from: number, size: number): Branch {
  if (size === 1) return { hash: leaves[from] as Buffer };
  const middle = split(size);
  const left = grow(leaves, from, middle);
  const right = grow(leaves, from + middle, size - middle);
  return { hash: nodeHash(left.hash, right.hash), left, right };
}

/** The root that a leaf and its proof give; undefined when the proof does not fit a tree of that size. */
export function rootFromProof(leaf: Buffer, index: number, size: number, proof: Buffer[]): Buffer | undefined {
  if (size <= 1) return proof.length === 0 ? leaf : undefined;
  const sibling = proof.at(-1);
  if (!sibling) return undefined;
  const left = split(size);
  const onTheLeft = index < left;
  const inner = rootFromProof(leaf, onTheLeft ? index : index - left, onTheLeft ? left : size - left, proof.slice(0, -1));
  return inner && (onTheLeft ? nodeHash(inner, sibling) : nodeHash(sibling, inner));
}
