package apiserver

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"
)

// Most endpoints are about one job. They are functions that return a reply. Each of
// the two forms of the interface makes handlers of them in its own way.

// nameRequest is the request of an operators' endpoint about one job, or a part of it.
type nameRequest struct {
	Name string `json:"name"`
}

func (r nameRequest) jobName() string { return r.Name }

// errJobNameEmpty is errNameEmpty in the words of some endpoints.
var errJobNameEmpty = errors.New("job name is empty")

// operation makes the handler of an operators' endpoint about the job that the
// body names. A nil reply is {"success":true}. failed sends an error as the endpoint
// words it; its name is "" if the body names no job.
func operation[R interface{ jobName() string }](answer func(echo.Context, R) (reply any, err error), failed func(c echo.Context, name string, err error) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		var request R
		if err := decode(c, &request); err != nil {
			return failed(c, "", err)
		}
		if request.jobName() == "" {
			return failed(c, "", errNameEmpty)
		}
		reply, err := answer(c, request)
		switch {
		case err != nil:
			return failed(c, request.jobName(), err)
		case reply == nil:
			return ok(c)
		}
		return send(c, http.StatusOK, reply)
	}
}

// failOperation is the usual failed of an operation.
func failOperation(c echo.Context, name string, err error) error {
	return fail(c, describe(err, name))
}

// failJobNameEmpty is failOperation with errJobNameEmpty.
func failJobNameEmpty(c echo.Context, name string, err error) error {
	if errors.Is(err, errNameEmpty) {
		err = errJobNameEmpty
	}
	return failOperation(c, name, err)
}

// resource makes the handler of an endpoint of the REST form about the job that
// the path names. It does not read the body. A nil reply is 204.
func resource(answer func(c echo.Context, name string) (reply any, err error)) echo.HandlerFunc {
	return func(c echo.Context) error {
		name := jobName(c)
		reply, err := answer(c, name)
		switch {
		case err != nil:
			return failResource(c, name, err)
		case reply == nil:
			return c.NoContent(http.StatusNoContent)
		}
		return sendResource(c, http.StatusOK, jsonType, reply)
	}
}

// commandWith makes the handler of a command whose arguments are the body. It answers
// 204 when the job has carried the command out.
func commandWith[B any](command func(c echo.Context, name string, body B) error) echo.HandlerFunc {
	return resource(func(c echo.Context, name string) (any, error) {
		var body B
		if err := decodeResource(c, &body); err != nil {
			return nil, err
		}
		return nil, command(c, name, body)
	})
}

// startWith makes the handler of what begins something that goes on after the answer.
func startWith[B any](start func(c echo.Context, name string, body B) (startedObject, error)) echo.HandlerFunc {
	return resource(func(c echo.Context, name string) (any, error) {
		var body B
		if err := decodeResource(c, &body); err != nil {
			return nil, err
		}
		started, err := start(c, name, body)
		return started, err
	})
}

// question asks one thing about a job, for as long as a caller may wait. Equal ones, by
// what they are about, share an answer.
func question[T any](s *Server, c echo.Context, what, name string, ask func(ctx context.Context, name string) (T, error)) (T, error) {
	ctx, cancel := s.answerContext(c)
	defer cancel()
	return once(ctx, s.answers, s.answers.keep, what, name, slotted(s.answers, func(ctx context.Context) (T, error) { return ask(ctx, name) }))
}
