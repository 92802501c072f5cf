def iterate_conjugate_gradient(objective, start): raise NotImplementedError
