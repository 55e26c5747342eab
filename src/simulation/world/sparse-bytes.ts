const pageSize = 4096;

/**
 * A large sequence of bytes of which little was ever written. What was never written reads as zeros, or as garbage
 * that depends on `garbage` only (a disk is not empty when it is bought).
 */
export class SparseBytes {
  private readonly pages = new Map<number, Uint8Array>();

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
    }
    return page;
  }

  read(offset: number, into: Uint8Array): void {
    for (let done = 0; done < into.length;) {
      const index = Math.floor((offset + done) / pageSize);
      const inPage = (offset + done) % pageSize;
      const length = Math.min(pageSize - inPage, into.length - done);
      const page = this.pages.get(index);
      if (page !== undefined) into.set(page.subarray(inPage, inPage + length), done);
      else if (this.garbage === 0) into.fill(0, done, done + length);
      else {
        const background = new Uint8Array(pageSize);
        this.fillBackground(background, index);
        into.set(background.subarray(inPage, inPage + length), done);
      }
      done += length;
    }
  }
  write(offset: number, from: Uint8Array): void {
    for (let done = 0; done < from.length;) {
      const inPage = (offset + done) % pageSize;
      const length = Math.min(pageSize - inPage, from.length - done);
      const page = this.pageForWriting(Math.floor((offset + done) / pageSize));
      page.set(done === 0 && length === from.length ? from : from.subarray(done, done + length), inPage);
      done += length;
    }
  }
  zero(offset: number, length: number): void {
    for (let done = 0; done < length;) {
      const index = Math.floor((offset + done) / pageSize);
      const inPage = (offset + done) % pageSize;
      const part = Math.min(pageSize - inPage, length - done);
      if (part === pageSize && this.garbage === 0) this.pages.delete(index);
      else if (this.garbage !== 0 || this.pages.has(index)) {
        this.pageForWriting(index).fill(0, inPage, inPage + part);
      }
      done += part;
    }
  }
  /** Numbers of the 4096-byte pages that were ever written. */
  writtenPages(): Iterable<number> {
    return this.pages.keys();
  }
  /** True if pages that were never written read as the same in both. */
  sameBackground(other: SparseBytes): boolean {
    return this.garbage === other.garbage;
  }
  copyFrom(other: SparseBytes): void {
    this.pages.clear();
    for (const [index, page] of other.pages) this.pages.set(index, page.slice());
  }
}
