#include "relay/spool/message.hpp"

namespace millrace::relay {

std::string to_string(Class klass) {
    return klass == Class::bulk ? "bulk" : "transactional";
}

}  // namespace millrace::relay
