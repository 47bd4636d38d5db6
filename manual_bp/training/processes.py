class Processes:
    rank, count, is_main, device = 0, 1, True, "cpu"

    @classmethod
    def from_environment(cls, device):
        self = cls()
        self.device = device
        return self

    def __enter__(self):
        return self

    def __exit__(self, *a):
        pass

    def any(self, flag):
        return flag

    def from_main(self, f):
        return f()


class DataParallelEngine: ...
