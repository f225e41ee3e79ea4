/* What an attempt that failed learned about the recipient, for the next one. */
#include "msrp/serve.h"

/* A peer that went away with octets unanswered gets less at once the next time. */
static void write_window(const struct msrp_serve_ops *ops, void *arg, uint64_t window)
{
    struct line_out o;
    if (window == 0)
        return;
    line_begin(&o, "learnt", ops->sid(arg));
    line_number(&o, "window", (int64_t)window);
    (void)ops->emit(arg, &o, MSRP_LINE_FACT);
}

/* There are recipients that do not let us connect and say so with a 480; that they may connect
 * themselves is tried once. */
static void write_setup(const struct msrp_serve_plan *plan, const struct msrp_serve_ops *ops,
                        void *arg)
{
    struct journal *j = ops->journal(arg);
    bool refused = plan->session.setup == MSRP_ACTIVE && !journal_get(j, "learnt.setup") &&
                   journal_number(j, "invite.failed.code", 0) == 480;
    struct line_out o;
    if (!refused && !plan->setup_learnt)
        return;
    line_begin(&o, "learnt", ops->sid(arg));
    line_text(&o, "setup", refused ? "actpass" : "active");
    (void)ops->emit(arg, &o, MSRP_LINE_FACT);
}

void msrp_serve_learn(const struct msrp_serve_plan *plan, const struct msrp_serve_ops *ops,
                      void *arg, uint64_t window)
{
    write_window(ops, arg, window);
    write_setup(plan, ops, arg);
}
