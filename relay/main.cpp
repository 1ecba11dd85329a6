#include "relay/daemon.hpp"
#include "relay/shaping/rule_book.hpp"

int main(int argc, char** argv) {
    auto const program =
        millrace::config::start_program(argc,
                                        argv,
                                        millrace::config::Part::relay,
                                        "millrace-relay",
                                        "takes mail by SMTP, keeps it on disk, and delivers it at "
                                        "the speed each receiving server can take",
                                        millrace::relay::prove_rules);
    return program.run ? millrace::relay::run_daemon(program) : program.exit_code;
}
