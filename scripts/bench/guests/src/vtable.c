/* A tree of expressions evaluated through tables of function pointers: indirect calls of several types. */
#include "guest.h"

typedef struct Node Node;
typedef struct {
  i32 (*value)(const Node *, i32);
  void (*visit)(Node *, u32 *);
} Methods;
struct Node {
  const Methods *methods;
  Node *left, *right;
  i32 constant;
};

static Node nodes[4096];

static i32 constant(const Node *node, i32 x) { return node->constant ^ x; }
static i32 add(const Node *node, i32 x) { return node->left->methods->value(node->left, x) + node->right->methods->value(node->right, x); }
static i32 sub(const Node *node, i32 x) { return node->left->methods->value(node->left, x) - node->right->methods->value(node->right, x + 1); }
static i32 choose(const Node *node, i32 x) {
  const Node *one = x & 1 ? node->left : node->right;
  return one->methods->value(one, x >> 1) * 3;
}
static void leaf(Node *node, u32 *sum) { *sum = *sum * 31 + (u32)(node->constant += 3); }
static void inner(Node *node, u32 *sum) {
  node->left->methods->visit(node->left, sum);
  node->right->methods->visit(node->right, sum);
}

static const Methods kinds[4] = {{constant, leaf}, {add, inner}, {sub, inner}, {choose, inner}};
static i32 (*const steps[4])(i32, i32);

static NOINLINE i32 step0(i32 a, i32 b) { return a + b; }
static NOINLINE i32 step1(i32 a, i32 b) { return a ^ (b >> 3); }
static NOINLINE i32 step2(i32 a, i32 b) { return a * 5 - b; }
static NOINLINE i32 step3(i32 a, i32 b) { return (a << 7 | (u32)a >> 25) + b; }
static i32 (*const steps[4])(i32, i32) = {step0, step1, step2, step3};

EXPORT u32 run(void) {
  const i32 count = sizeof nodes / sizeof *nodes;
  for (i32 i = count - 1; i > 0; i--) {
    int isLeaf = 2 * i + 1 >= count;
    nodes[i] = (Node){&kinds[isLeaf ? 0 : 1 + rnd() % 3], isLeaf ? 0 : &nodes[2 * i], isLeaf ? 0 : &nodes[2 * i + 1], (i32)rnd()};
  }
  u32 sum = 0;
  i32 chain = 1;
  for (int i = 0; i < 150; i++) {
    sum = sum * 31 + (u32)nodes[1].methods->value(&nodes[1], i);
    nodes[1].methods->visit(&nodes[1], &sum);
    for (int j = 0; j < 6000; j++) chain = steps[rnd() & 3](chain, j);
  }
  return sum ^ (u32)chain;
}
