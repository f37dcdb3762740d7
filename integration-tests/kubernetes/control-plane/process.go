package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// child starts a program that does not outlive this one, however this one ends.
func child(command *exec.Cmd) error {
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return command.Start()
}

// ending is closed when standard input ends or a signal asks to end.
func ending() <-chan struct{} {
	done := make(chan struct{})
	input := make(chan struct{})
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(input)
	}()
	go func() {
		select {
		case <-input:
		case <-signals:
		}
		close(done)
	}()
	return done
}

// leash runs a program until it ends, or until standard input does.
func leash(line []string) error {
	command := exec.Command(line[0], line[1:]...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	ending := ending()
	if err := child(command); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	select {
	case <-ending:
		_ = command.Process.Kill()
		<-ended
		return nil
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("%s: %w", line[0], err)
		}
		return nil
	}
}
