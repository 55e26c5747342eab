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
      const page = this.garbage === 0 ? this.pages.get(index) : this.pageForWriting(index);
      if (page !== undefined) into.set(page.subarray(inPage, inPage + length), done);
      else into.fill(0, done, done + length);
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
  /** The range becomes what it is in `other`, a little wider at both ends. */
  copyRange(other: SparseBytes, offset: number, length: number): void {
    const last = Math.floor((offset + length - 1) / pageSize);
    for (let index = Math.floor(offset / pageSize); index <= last; index++) {
      const page = other.pages.get(index);
      if (page !== undefined) this.pageForWriting(index).set(page);
      else this.pages.delete(index);
    }
  }
}
