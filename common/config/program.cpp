#include "common/config/program.hpp"

#include <cstdio>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "common/config/nearest.hpp"

namespace millrace::config {
namespace {

enum class Mode { run, check, print_config };

struct Arguments {
    Mode mode = Mode::run;
    std::string file = default_file;
    Missing missing = Missing::means_defaults;
    bool help = false;
    bool version = false;
    std::string error;
};

Arguments read_arguments(int argc, const char* const* argv) {
    Arguments result;
    const std::vector<std::string> known{
        "-c", "--config", "--check", "--print-config", "--version", "--help"};
    for (int i = 1; i < argc && result.error.empty(); ++i) {
        std::string_view const word = argv[i];
        if (word == "-c" || word == "--config") {
            if (i + 1 == argc) {
                result.error = fmt::format("{} needs a file name", word);
                break;
            }
            result.file = argv[++i];
            result.missing = Missing::is_error;
        } else if (word.starts_with("--config=")) {
            result.file = word.substr(9);
            result.missing = Missing::is_error;
        } else if (word == "--check") {
            result.mode = Mode::check;
        } else if (word == "--print-config") {
            result.mode = Mode::print_config;
        } else if (word == "--version" || word == "-V") {
            result.version = true;
        } else if (word == "--help" || word == "-h") {
            result.help = true;
        } else {
            auto const meant = nearest(word, known);
            result.error =
                fmt::format("unknown argument {}{}",
                            word,
                            meant.empty() ? std::string() : ": did you mean " + meant + "?");
        }
    }
    return result;
}

void show_help(std::string_view name, std::string_view about) {
    fmt::print(
        "{0}: {1}\n\n"
        "usage: {0} [-c FILE] [--check | --print-config]\n\n"
        "  -c FILE          configuration (default {2}; may be absent, then the\n"
        "                   defaults hold)\n"
        "  --check          look at the configuration and the files it names, and exit\n"
        "  --print-config   print every setting in force, and exit\n"
        "  --version        print the version, and exit\n\n"
        "It stays in the foreground and logs to stderr. SIGTERM ends it in an orderly way, SIGHUP\n"
        "reads the configuration again (a bad file leaves the old one in force).\n\n"
        "exit codes: 0 done, 64 usage, 75 temporary (port or spool in use, disk), 78 "
        "configuration\n\n"
        "examples:\n"
        "  {0} --check                   is {2} in order?\n"
        "  {0} -c ./test.conf            run with another configuration\n"
        "  {0} --print-config | less     what holds where nothing is written?\n\n"
        "see also: {0}(8), millrace.conf(5)\n",
        name,
        about,
        default_file);
}

/// Settings and what is in the files they name; says what is wrong.
Result<Snapshot> load_all(const std::string& file,
                          Missing missing,
                          Part part,
                          Proof proof,
                          std::vector<std::string>* warnings) {
    auto settings = load(file, missing, warnings);
    if (!settings) {
        return settings;
    }
    auto found = check_files(**settings, part);
    auto complete = std::make_shared<Settings>(**settings);
    if (auto const read = read_secrets(*complete, part); !read) {
        found.push_back(read.error().detail);
    }
    if (!found.empty()) {
        return failure(Fault::invalid,
                       fmt::format("{}: {}", file, fmt::join(found, "\n" + file + ": ")));
    }
    if (auto const read = read_rules(*complete, part); !read) {
        return std::unexpected(read.error());
    }
    if (auto const proved = proof == nullptr ? Result<void>{} : proof(*complete); !proved) {
        return std::unexpected(proved.error());
    }
    return complete;
}

}  // namespace

Program start_program(int argc,
                      const char* const* argv,
                      Part part,
                      std::string_view name,
                      std::string_view about,
                      Proof proof) {
    auto const arguments = read_arguments(argc, argv);
    Program program;
    program.proof = proof;
    program.file = arguments.file;
    program.missing = arguments.missing;
    if (!arguments.error.empty()) {
        fmt::print(stderr, "{0}: {1}\ntry: {0} --help\n", name, arguments.error);
        program.exit_code = exit_usage;
        return program;
    }
    if (arguments.help) {
        show_help(name, about);
        return program;
    }
    if (arguments.version) {
        fmt::print("{} {}\n", name, version());
        return program;
    }
    auto settings = arguments.mode == Mode::print_config
                        ? load(program.file, program.missing, &program.warnings)
                        : load_all(program.file, program.missing, part, proof, &program.warnings);
    if (!settings) {
        fmt::print(stderr, "{}\n", settings.error().detail);
        program.exit_code = exit_configuration;
        return program;
    }
    for (auto const& warning : program.warnings) {
        fmt::print(stderr, "warning: {}\n", warning);
    }
    if (arguments.mode == Mode::print_config) {
        fmt::print("{}", print(**settings));
    } else if (arguments.mode == Mode::check) {
        fmt::print("{}: in order\n", program.file);
    } else {
        program.run = true;
        program.settings = std::move(*settings);
    }
    return program;
}

Result<Snapshot> reload_program(const Program& program, Part part) {
    return load_all(program.file, program.missing, part, program.proof, nullptr);
}

std::string_view version() {
    return MILLRACE_VERSION;
}

}  // namespace millrace::config
