package job

// CheckStatus is what one check of check_ccr found.
type CheckStatus string

const (
	CheckPass CheckStatus = "pass"
	// CheckWarn: the job can be created, but something may surprise.
	CheckWarn CheckStatus = "warn"
	// CheckFail: create_ccr would refuse the job, or the job would not run.
	CheckFail CheckStatus = "fail"
)

// CheckResult is one line of check_ccr.
type CheckResult struct {
	// Check names what was looked at, e.g. "source: tables".
	Check  string      `json:"check"`
	Status CheckStatus `json:"status"`
	// Detail says what was found, Remedy what to do about it.
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

// CheckReport is the result of CheckSetup.
type CheckReport struct {
	Checks []CheckResult `json:"checks"`
}

// Overall is the worst status of all checks.
func (r *CheckReport) Overall() CheckStatus {
	worst := CheckPass
	for _, c := range r.Checks {
		if c.Status == CheckFail || c.Status == CheckWarn && worst == CheckPass {
			worst = c.Status
		}
	}
	return worst
}

// WorkflowTypeCheck is the short workflow that runs CheckSetup, so that an API
// server need not know how to talk to Doris. Its input is a Spec, its result a
// CheckReport.
const WorkflowTypeCheck = "CheckSetup"

// CheckWorkflowIDPrefix begins the ids of its runs.
const CheckWorkflowIDPrefix = "ccr-check-"
