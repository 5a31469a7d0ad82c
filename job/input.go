package job

// WorkflowInput is the input of the workflow ReplicationJob. The one who
// creates a job leaves Progress out; continue-as-new carries it on.
type WorkflowInput struct {
	Spec     Spec      `json:"spec"`
	Progress *Progress `json:"progress,omitempty"`
	// Warnings are events of a job that begins: what was ignored of its creation.
	Warnings []string `json:"warnings,omitempty"`
}

// largeAbove is how many entries of tables a state has at most that a new run gets in a
// form which every worker can read.
const largeAbove = 20_000

// Run is the type and the argument of a workflow that begins with the input. A state
// with very many tables is packed, and for workers that can read that.
func (in WorkflowInput) Run() (workflowType string, argument any) {
	p := in.Progress
	if p == nil {
		return WorkflowType, in
	}
	copied := in
	if b := copied.takeBulk(); b.entries() <= largeAbove {
		return WorkflowType, in
	}
	return WorkflowTypeLarge, Pack(in)
}

// ErrorTypeRefused is the application error type with which a workflow fails
// when CheckJob refuses the job. The error's message is what create_ccr answers.
const ErrorTypeRefused = "JobRefused"
