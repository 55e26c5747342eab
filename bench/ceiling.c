/*
 * What one thread of C needs for the work of two hosts under protocol C: the ceiling that bench/nbd.cjs compares CPU
 * time with (performance.md 4.1). No activity log, bitmap, epochs, conflicts or errors: any failure ends the program.
 *
 *   ceiling secondary PORT FILE          writes what it receives, acknowledges on a second connection
 *   ceiling primary SOCKET FILE PORT     serves FILE over NBD and sends every write to the secondary on 127.0.0.1
 *
 * One turn: read what is there, send all writes in one call, write them here, answer all in one call.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <err.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define ROOM (4u << 20)
#define CLIENTS 8
#define SLOTS 1024
#define PACKET 40 /* header of 16 bytes, 24 bytes of P_DATA or of an acknowledgement */

struct stream {
  int fd;
  int ready; /* negotiation is over */
  size_t have;
  uint8_t *bytes;
};
struct slot {
  uint64_t cookie;
  struct stream *client;
  int waiting;
};

static int file;
static uint64_t size;
static int data_fd, ack_fd;
static struct slot slots[SLOTS];
static int free_slots[SLOTS], free_count;
static struct stream clients[CLIENTS];

static uint32_t get32(const uint8_t *at) { uint32_t v; memcpy(&v, at, 4); return be32toh(v); }
static uint64_t get64(const uint8_t *at) { uint64_t v; memcpy(&v, at, 8); return be64toh(v); }
static void put32(uint8_t *at, uint32_t v) { v = htobe32(v); memcpy(at, &v, 4); }
static void put64(uint8_t *at, uint64_t v) { v = htobe64(v); memcpy(at, &v, 8); }

static void send_vector(int fd, struct iovec *v, int count) {
  while (count > 0) {
    int now = count > 1024 ? 1024 : count;
    ssize_t put = writev(fd, v, now);
    if (put < 0) err(1, "writev");
    while (count > 0 && (size_t)put >= v->iov_len) { put -= v->iov_len; v++; count--; }
    if (count > 0) { v->iov_base = (uint8_t *)v->iov_base + put; v->iov_len -= put; }
  }
}
static void send_all(int fd, void *bytes, size_t length) {
  struct iovec v = {bytes, length};
  if (length > 0) send_vector(fd, &v, 1);
}
static void write_file(const void *bytes, size_t length, uint64_t offset) {
  if (pwrite(file, bytes, length, offset) != (ssize_t)length) err(1, "pwrite");
}
/* 0: the other side is gone. */
static int receive(struct stream *s) {
  ssize_t got = read(s->fd, s->bytes + s->have, ROOM - s->have);
  if (got <= 0) return 0;
  s->have += got;
  return 1;
}
static void consumed(struct stream *s, size_t used) {
  s->have -= used;
  if (used > 0) memmove(s->bytes, s->bytes + used, s->have);
}
static void open_file(const char *path) {
  struct stat st;
  file = open(path, O_RDWR);
  if (file < 0 || fstat(file, &st) < 0) err(1, "%s", path);
  size = st.st_size;
}
static struct sockaddr_in loopback(const char *port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return a;
}
static void no_delay(int fd) {
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/* --- secondary */

static void secondary(const char *port) {
  struct sockaddr_in a = loopback(port);
  int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (void *)&a, sizeof a) < 0 || listen(listener, 2) < 0) err(1, "listen");
  struct stream in = {.fd = accept(listener, NULL, NULL), .bytes = malloc(ROOM)};
  ack_fd = accept(listener, NULL, NULL);
  no_delay(ack_fd);
  static uint8_t acks[SLOTS * PACKET];
  while (receive(&in)) {
    size_t at = 0, out = 0;
    while (in.have - at >= PACKET) {
      uint8_t *p = in.bytes + at;
      uint32_t length = get32(p + 8) - 24;
      if (in.have - at < PACKET + length) break;
      write_file(p + PACKET, length, get64(p + 16) * 512);
      memcpy(acks + out, p, PACKET);
      put32(acks + out + 8, 24);
      out += PACKET;
      at += PACKET + length;
    }
    send_all(ack_fd, acks, out);
    consumed(&in, at);
  }
}

/* --- primary */

static uint8_t *answer_of(uint8_t *at, uint64_t cookie) {
  put32(at, 0x67446698);
  put32(at + 4, 0);
  memcpy(at + 8, &cookie, 8);
  return at + 16;
}
static void option_reply(int fd, uint32_t option, uint32_t type, const void *body, uint32_t length) {
  uint8_t out[64];
  put64(out, 0x3e889045565a9ULL);
  put32(out + 8, option);
  put32(out + 12, type);
  put32(out + 16, length);
  memcpy(out + 20, body, length);
  send_all(fd, out, 20 + length);
}
static void greet(int fd) {
  uint8_t out[18] = "NBDMAGICIHAVEOPT";
  out[17] = 3;
  send_all(fd, out, sizeof out);
}
/* Client flags, then options until NBD_OPT_GO. 0: the client goes. */
static int negotiate(struct stream *s) {
  size_t at = 0;
  if (s->ready < 0) {
    if (s->have < 4) return 1;
    s->ready = 0;
    at = 4;
  }
  while (!s->ready && s->have - at >= 16) {
    uint32_t option = get32(s->bytes + at + 8), length = get32(s->bytes + at + 12);
    if (s->have - at < 16 + length) break;
    at += 16 + length;
    if (option == 2) return 0;
    if (option == 7) {
      uint8_t info[12] = {0};
      put64(info + 2, size);
      info[11] = 5; /* flags: has flags, flush */
      option_reply(s->fd, option, 3, info, sizeof info);
      option_reply(s->fd, option, 1, "", 0);
      s->ready = 1;
    } else option_reply(s->fd, option, 0x80000001u, "", 0);
  }
  consumed(s, at);
  return 1;
}
/* 0: the client goes. */
static int serve(struct stream *s) {
  static uint8_t heads[SLOTS][PACKET], replies[SLOTS * 16], block[1 << 20];
  static struct iovec v[2 * SLOTS];
  size_t at = 0;
  int count = 0, alive = 1;
  uint8_t *reply = replies;
  while (s->have - at >= 28 && free_count > 0 && reply < replies + sizeof replies) {
    uint8_t *p = s->bytes + at;
    uint32_t command = get32(p + 4) & 0xffff, length = get32(p + 24);
    uint64_t cookie, offset = get64(p + 16);
    memcpy(&cookie, p + 8, 8);
    if (command == 1) {
      if (s->have - at < 28 + (size_t)length) break;
      int id = free_slots[--free_count];
      slots[id] = (struct slot){cookie, s, 2};
      uint8_t *head = heads[count / 2];
      put32(head, 0x8620ec20);
      put32(head + 8, 24 + length);
      put64(head + 16, offset / 512);
      put32(head + 28, id);
      v[count++] = (struct iovec){head, PACKET};
      v[count++] = (struct iovec){p + 28, length};
      at += 28 + length;
      continue;
    }
    at += 28;
    if (command == 2) { alive = 0; break; }
    reply = answer_of(reply, cookie);
    if (command != 0) continue;
    if (length > sizeof block || pread(file, block, length, offset) != (ssize_t)length) err(1, "pread");
    send_all(s->fd, replies, reply - replies);
    send_all(s->fd, block, length);
    reply = replies;
  }
  struct iovec sent[2 * SLOTS];
  memcpy(sent, v, count * sizeof *v);
  send_vector(data_fd, sent, count);
  for (int i = 0; i < count; i += 2) {
    uint8_t *head = v[i].iov_base;
    write_file(v[i + 1].iov_base, v[i + 1].iov_len, get64(head + 16) * 512);
    slots[get32(head + 28)].waiting--;
  }
  send_all(s->fd, replies, reply - replies);
  consumed(s, at);
  return alive;
}
static void acknowledged(struct stream *acks) {
  static uint8_t replies[SLOTS * 16];
  uint8_t *reply = replies;
  struct stream *client = NULL;
  size_t at = 0;
  for (; acks->have - at >= PACKET; at += PACKET) {
    int id = get32(acks->bytes + at + 28);
    if (slots[id].client != client && client != NULL) {
      send_all(client->fd, replies, reply - replies);
      reply = replies;
    }
    client = slots[id].client;
    reply = answer_of(reply, slots[id].cookie);
    free_slots[free_count++] = id;
  }
  if (client != NULL) send_all(client->fd, replies, reply - replies);
  consumed(acks, at);
}
static int connect_to(const char *port) {
  struct sockaddr_in a = loopback(port);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (void *)&a, sizeof a) < 0) err(1, "connect");
  no_delay(fd);
  return fd;
}
static void primary(const char *path, const char *port) {
  struct sockaddr_un u = {.sun_family = AF_UNIX};
  strncpy(u.sun_path, path, sizeof u.sun_path - 1);
  data_fd = connect_to(port);
  struct stream acks = {.fd = connect_to(port), .bytes = malloc(ROOM)};
  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(listener, (void *)&u, sizeof u) < 0 || listen(listener, 4) < 0) err(1, "%s", path);
  while (free_count < SLOTS) { free_slots[free_count] = free_count; free_count++; }
  for (int i = 0; i < CLIENTS; i++) clients[i] = (struct stream){.fd = -1, .bytes = malloc(ROOM)};
  for (;;) {
    struct pollfd p[CLIENTS + 2] = {{listener, POLLIN, 0}, {acks.fd, POLLIN, 0}};
    for (int i = 0; i < CLIENTS; i++) p[i + 2] = (struct pollfd){clients[i].fd, POLLIN, 0};
    if (poll(p, CLIENTS + 2, -1) < 0) err(1, "poll");
    if (p[1].revents) {
      if (!receive(&acks)) errx(1, "the secondary is gone");
      acknowledged(&acks);
    }
    for (int i = 0; i < CLIENTS; i++) {
      struct stream *c = &clients[i];
      if (c->fd >= 0 ? !p[i + 2].revents : !(p[0].revents & POLLIN)) continue;
      if (c->fd < 0) {
        c->fd = accept(listener, NULL, NULL);
        c->ready = -1;
        c->have = 0;
        greet(c->fd);
        p[0].revents = 0;
      } else if (!receive(c) || (c->ready > 0 ? !serve(c) : !negotiate(c))) {
        close(c->fd);
        c->fd = -1;
      }
    }
  }
}

int main(int argc, char **argv) {
  if (argc < 4) errx(2, "usage: ceiling secondary PORT FILE | primary SOCKET FILE PORT");
  open_file(argv[3]);
  if (argc == 5) primary(argv[2], argv[4]);
  else secondary(argv[2]);
  return 0;
}
