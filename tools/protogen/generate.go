package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	gengo "google.golang.org/protobuf/cmd/protoc-gen-go/internal_gengo"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// generate gives the Go files of all schemas in a folder, by name.
func generate(ctx context.Context, folder string) (map[string][]byte, error) {
	schemas, err := filepath.Glob(filepath.Join(folder, "*.proto"))
	if err != nil {
		return nil, err
	}
	if len(schemas) == 0 {
		return nil, fmt.Errorf("%s: no schemas", folder)
	}
	for i, s := range schemas {
		schemas[i] = filepath.Base(s)
	}
	slices.Sort(schemas)
	compiled, err := compile(ctx, folder, schemas)
	if err != nil {
		return nil, err
	}
	return goFiles(schemas, compiled)
}

// compile gives the descriptors of schemas and of all that they import, which comes first. The
// messages of its errors name file, line and column.
func compile(ctx context.Context, folder string, schemas []string) ([]*descriptorpb.FileDescriptorProto, error) {
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{folder}}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := compiler.Compile(ctx, schemas...)
	if err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}
	var all []*descriptorpb.FileDescriptorProto
	seen := map[string]bool{}
	for _, f := range files {
		all = appendDescriptors(all, f, seen)
	}
	return all, nil
}

func appendDescriptors(
	all []*descriptorpb.FileDescriptorProto, f protoreflect.FileDescriptor, seen map[string]bool,
) []*descriptorpb.FileDescriptorProto {
	if seen[f.Path()] {
		return all
	}
	seen[f.Path()] = true
	for i := range f.Imports().Len() {
		all = appendDescriptors(all, f.Imports().Get(i).FileDescriptor, seen)
	}
	if r, ok := f.(linker.Result); ok { // It has the comments.
		return append(all, r.FileDescriptorProto())
	}
	return append(all, protodesc.ToFileDescriptorProto(f))
}

// goFiles does what protoc and its plugin for Go would do.
func goFiles(schemas []string, compiled []*descriptorpb.FileDescriptorProto) (map[string][]byte, error) {
	plugin, err := protogen.Options{}.New(&pluginpb.CodeGeneratorRequest{
		FileToGenerate: schemas,
		ProtoFile:      compiled,
		Parameter:      new("paths=source_relative"),
	})
	if err != nil {
		return nil, fmt.Errorf("read descriptors: %w", err)
	}
	// A version of protoc would be in the header otherwise, and there is none.
	gengo.GenerateVersionMarkers = false
	plugin.SupportedFeatures = gengo.SupportedFeatures
	for _, f := range plugin.Files {
		if f.Generate {
			gengo.GenerateFile(plugin, f)
		}
	}
	response := plugin.Response()
	if response.Error != nil {
		return nil, errors.New(response.GetError())
	}
	files := map[string][]byte{}
	for _, f := range response.GetFile() {
		files[path.Base(f.GetName())] = []byte(f.GetContent())
	}
	return files, nil
}
