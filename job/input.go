package job

// WorkflowInput is the input of the workflow ReplicationJob. The one who
// creates a job leaves Progress out; continue-as-new carries it on.
type WorkflowInput struct {
	Spec     Spec      `json:"spec"`
	Progress *Progress `json:"progress,omitempty"`
}

// ErrorTypeRefused is the application error type with which a workflow fails
// when CheckJob refuses the job. The error's message is what create_ccr answers.
const ErrorTypeRefused = "JobRefused"
