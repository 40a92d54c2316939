// Checks the deployment files with the libraries that Docker itself reads them with, so that no engine is needed.
//
//	check compose <docker-compose.yml> <env file> [profile...]   the resolved project, as JSON
//	check dockerfile <Dockerfile>                                 what `docker build --check` warns of, and the steps as JSON
//	check context <folder>                                        the files that a build is sent, one a line
//
// Exit 1 and one line on stderr for each fault.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
	"github.com/opencontainers/go-digest"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			fmt.Fprintln(os.Stderr, line)
		}
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) >= 3 && args[0] == "compose":
		return compose(args[1], args[2], args[3:])
	case len(args) == 2 && args[0] == "dockerfile":
		return dockerfile(args[1])
	case len(args) == 2 && args[0] == "context":
		return buildContext(args[1])
	}
	return errors.New("usage: check compose <file> <env file> [profile...] | dockerfile <file> | context <folder>")
}

// compose loads the file strictly: schema, interpolation without defaults for unset variables, names of networks, volumes, configs
// and dependencies, and that every file that is mounted or read exists.
func compose(file, envFile string, profiles []string) error {
	options, err := cli.NewProjectOptions([]string{file},
		cli.WithEnvFiles(envFile), cli.WithDotEnv, cli.WithProfiles(profiles),
		cli.WithInterpolation(true), cli.WithResolvedPaths(true), cli.WithNormalization(true), cli.WithConsistency(true))
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	var missing []error
	for name, service := range project.Services {
		for _, volume := range service.Volumes {
			if volume.Type == "bind" && !exists(volume.Source) {
				missing = append(missing, fmt.Errorf("%s: service %s mounts %s, which does not exist", file, name, volume.Source))
			}
		}
		if service.Build != nil && !exists(filepath.Join(service.Build.Context, service.Build.Dockerfile)) {
			missing = append(missing, fmt.Errorf("%s: service %s is built from %s, which does not exist", file, name, service.Build.Dockerfile))
		}
	}
	for name, config := range project.Configs {
		if config.File != "" && !exists(config.File) {
			missing = append(missing, fmt.Errorf("%s: config %s is %s, which does not exist", file, name, config.File))
		}
	}
	if err := errors.Join(missing...); err != nil {
		return err
	}
	return print(project)
}

// step is one instruction of the Dockerfile in a form that a script can follow. Fields that an instruction does not have are absent.
type step struct {
	Instruction string            `json:"instruction"`
	Shell       string            `json:"shell,omitempty"`
	Command     []string          `json:"command,omitempty"`
	Path        string            `json:"path,omitempty"`
	Sources     []string          `json:"sources,omitempty"`
	From        string            `json:"from,omitempty"`
	Chown       string            `json:"chown,omitempty"`
	User        string            `json:"user,omitempty"`
	Signal      string            `json:"signal,omitempty"`
	Values      map[string]string `json:"values,omitempty"`
}

type stage struct {
	Name  string `json:"name"`
	Base  string `json:"base"`
	Steps []step `json:"steps"`
}

func dockerfile(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := lint(file, text); err != nil {
		return err
	}
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	var plan []stage
	for _, parsedStage := range stages {
		steps := []step{}
		for _, command := range parsedStage.Commands {
			next, err := stepOf(command)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			steps = append(steps, next)
		}
		plan = append(plan, stage{Name: parsedStage.Name, Base: parsedStage.BaseName, Steps: steps})
	}
	return print(plan)
}

// lint says what `docker build --check` says. Base images are not fetched: they are taken for empty ones.
func lint(file string, text []byte) error {
	// The linter wants to know which build sent the file; here it is an empty one.
	nothing, err := llb.Scratch().Marshal(context.Background())
	if err != nil {
		return err
	}
	source := &llb.SourceMap{Definition: nothing, Filename: file, Language: "Dockerfile", Data: text}
	results, err := dockerfile2llb.DockerfileLint(context.Background(), text, dockerfile2llb.ConvertOpt{
		MetaResolver: noImage{}, SourceMap: source,
	})
	if err != nil {
		return err
	}
	var faults []error
	if results.Error != nil {
		faults = append(faults, fmt.Errorf("%s: %s", file, results.Error.Message))
	}
	for _, warning := range results.Warnings {
		line := 0
		if len(warning.Location.GetRanges()) > 0 {
			line = int(warning.Location.Ranges[0].Start.Line)
		}
		faults = append(faults, fmt.Errorf("%s:%d: %s: %s", file, line, warning.RuleName, warning.Detail))
	}
	return errors.Join(faults...)
}

type noImage struct{}

func (noImage) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	return ref, "", []byte("{}"), nil
}

func stepOf(command instructions.Command) (step, error) {
	next := step{Instruction: strings.ToUpper(command.Name())}
	switch c := command.(type) {
	case *instructions.RunCommand:
		if !c.PrependShell || len(c.CmdLine) != 1 || len(c.Files) > 0 || len(instructions.GetMounts(c)) > 0 {
			return next, fmt.Errorf("RUN is checked in its shell form only, without mounts and heredocs: %s", c)
		}
		next.Shell = c.CmdLine[0]
	case *instructions.CopyCommand:
		if c.Chmod != "" || c.Link || len(c.SourceContents) > 0 || len(c.ExcludePatterns) > 0 {
			return next, fmt.Errorf("a COPY with these flags is not checked: %s", c)
		}
		next.Sources, next.Path, next.From, next.Chown = c.SourcePaths, c.DestPath, c.From, c.Chown
	case *instructions.EnvCommand:
		next.Values = values(c.Env)
	case *instructions.LabelCommand:
		next.Values = values(c.Labels)
	case *instructions.WorkdirCommand:
		next.Path = c.Path
	case *instructions.UserCommand:
		next.User = c.User
	case *instructions.StopSignalCommand:
		next.Signal = c.Signal
	case *instructions.EntrypointCommand:
		next.Command = c.CmdLine
	case *instructions.CmdCommand:
		next.Command = c.CmdLine
	case *instructions.HealthCheckCommand:
		next.Command = c.Health.Test
	case *instructions.VolumeCommand:
		next.Sources = c.Volumes
	case *instructions.ArgCommand, *instructions.ExposeCommand:
	default:
		return next, fmt.Errorf("%s is an instruction that is not checked", next.Instruction)
	}
	return next, nil
}

func values(pairs instructions.KeyValuePairs) map[string]string {
	found := map[string]string{}
	for _, pair := range pairs {
		found[pair.Key] = pair.Value
	}
	return found
}

// buildContext applies .dockerignore with the matcher of the engine.
func buildContext(folder string) error {
	ignore, err := os.Open(filepath.Join(folder, ".dockerignore"))
	if err != nil {
		return err
	}
	defer ignore.Close()
	patterns, err := ignorefile.ReadAll(ignore)
	if err != nil {
		return err
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		return err
	}
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			// Large, and named by no pattern that lets anything back in.
			if relative == "node_modules" || relative == ".git" {
				return filepath.SkipDir
			}
			return nil
		}
		ignored, err := matcher.MatchesOrParentMatches(relative)
		if err == nil && !ignored {
			fmt.Println(filepath.ToSlash(relative))
		}
		return err
	})
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func print(value any) error {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", " ")
	return encoder.Encode(value)
}
