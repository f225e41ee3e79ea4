/* The entries in the order of their IDs: a binary search tree that random ranks keep flat, whatever
 * the IDs are (a treap: ranks fall from the root on). */
#include "status/snapshot_int.h"

#include <string.h>

static struct item **side(struct item *t, bool right)
{
    return right ? &t->right : &t->left;
}

struct item *tree_find(struct item *t, const char *id)
{
    int order;
    while (t && (order = strcmp(id, t->id)) != 0)
        t = *side(t, order > 0);
    return t;
}

/* What is before `id` to *left, what is behind it to *right. */
static void split(struct item *t, const char *id, struct item **left, struct item **right)
{
    while (t) {
        if (strcmp(t->id, id) < 0) {
            *left = t;
            left = &t->right;
            t = t->right;
        } else {
            *right = t;
            right = &t->left;
            t = t->left;
        }
    }
    *left = *right = NULL;
}

void tree_add(struct item **root, struct item *i)
{
    while (*root && (*root)->rank >= i->rank)
        root = side(*root, strcmp(i->id, (*root)->id) > 0);
    split(*root, i->id, &i->left, &i->right);
    *root = i;
}

void tree_remove(struct item **root, struct item *i)
{
    struct item *left = i->left, *right = i->right;
    while (*root != i)
        root = side(*root, strcmp(i->id, (*root)->id) > 0);
    while (left && right) {
        struct item **higher = left->rank >= right->rank ? &left : &right;
        *root = *higher;
        root = side(*root, higher == &left);
        *higher = *root;
    }
    *root = left ? left : right;
}

bool tree_visit(struct item *t, const char *after, tree_visit_h *visit, void *arg)
{
    for (; t; t = t->right) {
        if (strcmp(t->id, after) <= 0)
            continue;
        if (!tree_visit(t->left, after, visit, arg) || !visit(arg, t))
            return false;
    }
    return true;
}
