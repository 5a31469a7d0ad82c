package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"

	"github.com/doris-ccr/ccr/job"
)

// check runs the first checks (doris-binlogs.md 4.2). Whatever they report,
// even a host that does not answer, is a refusal: create_ccr waits for it, tells
// its caller and leaves nothing behind. Only a check that could not report,
// because its worker died, is run again.
func (r *run) check() error {
	o := r.settings.activityOptions("check "+r.spec.Source.Database+" on both clusters", checkTimeout)
	out, err := execute[job.Checked](r, o, 0, job.ActivityCheck, r.input())
	var refusal *temporal.ApplicationError
	switch {
	case err == nil:
		r.spec = out.Spec
		r.event(levelInfo, "checks passed")
		r.startFullSync(0, "new job")
		r.clearProblem()
	case interrupted(err):
	case errors.As(err, &refusal) && refusal.Type() != job.ErrorTypeWorkerStopping:
		r.event(levelError, "job refused: %s", refusal.Message())
		if r.version(changeRefusedState) {
			r.refused = true
			r.publishDetails()
		}
		return temporal.NewNonRetryableApplicationError(refusal.Message(), job.ErrorTypeRefused, nil)
	default:
		r.reportProblem(stepProblem(err, "check"))
	}
	return nil
}
