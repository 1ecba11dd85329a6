#pragma once

#include <string>
#include <vector>

#include "common/config/setting.hpp"

namespace millrace::config {

/// Walks the lines of the table as the groups of a file: open and close come in pairs around what
/// stands in a group.
class Outline {
  public:
    virtual ~Outline() = default;
    void walk(const std::vector<Setting>& lines);

  private:
    /// name: without the groups it stands in. depth: of the group, 0 at the top.
    virtual void open(const std::string& name, unsigned depth) = 0;
    virtual void close(unsigned depth) = 0;
    virtual void setting(const Setting& setting, const std::string& name, unsigned depth) = 0;

  protected:
    /// The groups that are open, from the outside in.
    const std::vector<std::string>& path() const { return path_; }

  private:
    std::vector<std::string> path_;
};

}  // namespace millrace::config
