const pageSize = 4096;

/**
 * A large sequence of bytes of which little was ever written. What was never written reads as zeros, or as garbage
 * that depends on `garbage` only (a disk is not empty when it is bought).
 */
export class SparseBytes {
  private readonly pages = new Map<number, Uint8Array>();
  /** Pages that are somebody else's bytes too: they are copied before a part of them changes. */
  private readonly shared = new Set<number>();

  constructor(private readonly garbage: number) {}

  private fillBackground(page: Uint8Array, index: number): void {
    let word = Math.imul(this.garbage ^ index, 0x9e3779b1) | 1;
    for (let i = 0; i < pageSize; i += 4) {
      word = Math.imul(word ^ (word >>> 15), 0x2c1b3c6d) + i;
      page[i] = word;
      page[i + 1] = word >>> 8;
      page[i + 2] = word >>> 16;
      page[i + 3] = word >>> 24;
    }
  }
  private pageForWriting(index: number): Uint8Array {
    let page = this.pages.get(index);
    if (page === undefined) {
      page = new Uint8Array(pageSize);
      if (this.garbage !== 0) this.fillBackground(page, index);
      this.pages.set(index, page);
    } else if (this.shared.delete(index)) {
      page = page.slice();
      this.pages.set(index, page);
    }
    return page;
  }

  private forget(index: number): void {
    this.pages.delete(index);
    this.shared.delete(index);
  }

  read(offset: number, into: Uint8Array): void {
    for (let done = 0; done < into.length;) {
      const index = Math.floor((offset + done) / pageSize);
      const inPage = (offset + done) % pageSize;
      const length = Math.min(pageSize - inPage, into.length - done);
      const page = this.pages.get(index) ?? (this.garbage === 0 ? undefined : this.pageForWriting(index));
      if (page !== undefined) into.set(page.subarray(inPage, inPage + length), done);
      else into.fill(0, done, done + length);
      done += length;
    }
  }
  /** Whole pages are not copied: `from` must not change any more. */
  write(offset: number, from: Uint8Array): void {
    for (let done = 0; done < from.length;) {
      const index = Math.floor((offset + done) / pageSize);
      const inPage = (offset + done) % pageSize;
      const length = Math.min(pageSize - inPage, from.length - done);
      const part = length === from.length ? from : from.subarray(done, done + length);
      if (length === pageSize) {
        this.pages.set(index, part);
        this.shared.add(index);
      } else this.pageForWriting(index).set(part, inPage);
      done += length;
    }
  }
  zero(offset: number, length: number): void {
    for (let done = 0; done < length;) {
      const index = Math.floor((offset + done) / pageSize);
      const inPage = (offset + done) % pageSize;
      const part = Math.min(pageSize - inPage, length - done);
      if (part === pageSize && this.garbage === 0) this.forget(index);
      else if (this.garbage !== 0 || this.pages.has(index)) {
        this.pageForWriting(index).fill(0, inPage, inPage + part);
      }
      done += part;
    }
  }
  /** The range becomes what it is in `other`, a little wider at both ends. */
  copyRange(other: SparseBytes, offset: number, length: number): void {
    const last = Math.floor((offset + length - 1) / pageSize);
    for (let index = Math.floor(offset / pageSize); index <= last; index++) {
      const page = other.pages.get(index);
      if (page !== undefined) this.pageForWriting(index).set(page);
      else this.forget(index);
    }
  }
}
