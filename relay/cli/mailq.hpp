#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "common/base/time.hpp"

namespace millrace::relay {

/// The queue in the form of Postfix's mailq (`postqueue -p`, long queue ids), or of `postqueue -j`,
/// made of the recipients that wait, in order of messages. Pure but for the machine's time zone.
class Mailq {
  public:
    enum class Form { people, json };
    Mailq(Form form, Time now) : form_(form), now_(now) {}

    /// What is to be printed when this recipient is known; a message comes out with its last one.
    std::string add(const boost::json::object& recipient);
    /// The last message and the closing line.
    std::string end();

  private:
    std::string close_message();
    std::string message_for_people() const;
    std::string message_as_json() const;

    Form form_;
    Time now_;
    std::vector<boost::json::object> message_;
    std::uint64_t messages_ = 0;
    std::uint64_t bytes_ = 0;
};

}  // namespace millrace::relay
