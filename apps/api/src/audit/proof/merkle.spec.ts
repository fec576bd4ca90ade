import { createHash } from 'node:crypto';
import { canonical } from './canonical';
import { leafHash, MerkleBuilder, MerkleTree, rootFromProof } from './merkle';

const sha256 = (...parts: (string | Buffer)[]): Buffer => {
  const hash = createHash('sha256');
  parts.forEach((part) => hash.update(part));
  return hash.digest();
};

describe('canonical', () => {
  it('orders keys by code units, and writes numbers and strings as ECMAScript does (examples of RFC 8785)', () => {
    expect(canonical({ '\u20ac': 'Euro', '\r': 'CR', '1': 'One', '\u0080': 'Control', '\u00f6': 'o' })).toBe(
      '{"\\r":"CR","1":"One","\u0080":"Control","\u00f6":"o","\u20ac":"Euro"}',
    );
    expect(canonical([333333333.3333333, 1e30, 4.5, 2e-3, 1e-27, -0, 'a\u000f\n"\\', null, true])).toBe(
      '[333333333.3333333,1e+30,4.5,0.002,1e-27,0,"a\\u000f\\n\\"\\\\",null,true]',
    );
  });
});

describe('the Merkle tree', () => {
  it('agrees with the known answers of RFC 6962 (as in certificate-transparency)', () => {
    // The published roots of the first 1, 2, 3 and 8 of these leaves.
    const inputs = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
    const leaves = inputs.map((hex) => sha256(Buffer.from([0]), Buffer.from(hex, 'hex')));
    const root = (size: number): string => new MerkleTree(leaves.slice(0, size)).root.toString('hex');
    expect(root(1)).toBe('6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d');
    expect(root(2)).toBe('fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125');
    expect(root(3)).toBe('aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77');
    expect(root(8)).toBe('5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328');
    expect(leafHash('').toString('hex')).toBe(root(1));
  });

  it('proves every leaf of every size, and no leaf at another place', () => {
    for (let size = 1; size <= 40; size++) {
      const leaves = Array.from({ length: size }, (_, index) => leafHash(`row ${index}`));
      const tree = new MerkleTree(leaves);
      const builder = new MerkleBuilder();
      leaves.forEach((leaf) => builder.add(leaf));
      expect(builder.root()).toEqual(tree.root);
      leaves.forEach((leaf, index) => {
        const proof = tree.proof(index);
        expect(rootFromProof(leaf, index, size, proof)).toEqual(tree.root);
        if (size === 1) return;
        expect(rootFromProof(leaf, (index + 1) % size, size, proof)).not.toEqual(tree.root);
        expect(rootFromProof(leafHash('another'), index, size, proof)).not.toEqual(tree.root);
        expect(rootFromProof(leaf, index, size, proof.slice(1))).not.toEqual(tree.root);
      });
    }
  });
});
